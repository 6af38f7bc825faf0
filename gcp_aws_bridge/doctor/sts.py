"""STS as the doctor calls it, and how its host is reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._sts.answer import Answer
from gcp_aws_bridge._sts.client import CONFIG, Sts
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.errors import is_retryable
from gcp_aws_bridge.exceptions import ExchangeError, quoted


class DoctorSts(Sts):
    """STS with the time-out of a diagnosis, and the one action that needs no permission.

    Attributes:
        clock: The time by its clock, and by this machine's at the same time. Both aware UTC.
    """

    clock: tuple[datetime, datetime] | None = None

    def __init__(self, session: Session, region_name: str, arn: str, timeout_s: float) -> None:
        self._arn = arn
        short = Config(connect_timeout=timeout_s, read_timeout=timeout_s)
        super().__init__(session, region_name, CONFIG.merge(short))

    @property
    def url(self) -> str:
        """The endpoint."""
        return self.transport.url

    def proxy(self) -> str:
        """Return the proxy that requests go through; empty for none."""
        return self.transport.proxy

    def probe(self) -> datetime | None:
        """Send a request without a token, which STS rejects with an error of its own.

        Returns:
            STS's clock, aware UTC.

        Raises:
            ExchangeError: STS was not reached, or another server answered.
        """
        try:
            return self._identity(None).date
        except ExchangeError as error:
            if error.error_id != "exchange/refused":
                raise
            return error.date

    def caller_identity(self, credentials: AwsCredentials) -> str:
        """Return the ARN that *credentials* belong to.

        Raises:
            ExchangeError: STS rejects the credentials, or was not reached.
        """
        return str(self._identity(credentials).result["Arn"])

    def _identity(self, keys: AwsCredentials | None) -> Answer:
        def rejected(*, code: str, message: str, status: int, request_id: str) -> ExchangeError:
            is_transient = is_retryable(code, status)
            return ExchangeError(
                f"GetCallerIdentity failed: {code} {quoted(message)}.",
                fix="wait, and try again."
                if is_transient
                else "unset AWS_ENDPOINT_URL_STS if it names another STS than that of AWS; if "
                "AWS rejects its own credentials, give AWS support the request id.",
                error_id="exchange/unavailable" if is_transient else "exchange/refused",
                code=code,
                request_id=request_id,
                retryable=is_transient,
            )

        return self._send("GetCallerIdentity", {}, keys, self._arn, rejected)


def endpoint_variables() -> Iterator[str]:
    """Yield the variables that are set and change how STS is reached."""
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        if os.environ.get(name):
            yield name
