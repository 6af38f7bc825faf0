"""The way to the STS of the region: its address, names, proxies, TLS, and who answers."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._sts.client import CONFIG, Sts
from gcp_aws_bridge._sts.connection import proxy_for
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.errors import is_retryable
from gcp_aws_bridge.exceptions import ExchangeError, quoted


class AskedSts(Sts):
    """STS with the deadline of a diagnosis, and the one action that needs no permission."""

    def __init__(self, session: Session, region_name: str, arn: str, timeout_s: float) -> None:
        self._arn = arn
        short = Config(connect_timeout=timeout_s, read_timeout=timeout_s)
        super().__init__(session, region_name, CONFIG.merge(short))

    @property
    def url(self) -> str:
        """The endpoint."""
        return str(self._unsigned.meta.endpoint_url)

    @property
    def date(self) -> datetime | None:
        """STS's clock in its last answer to this thread, aware UTC."""
        return self._answer.date

    def proxy(self) -> str:
        """Return the proxy that requests go through; empty for none."""
        return proxy_for(self.url, self._unsigned.meta.config.proxies)

    def answers(self) -> datetime | None:
        """Ask something that needs no token: STS refuses it, in words that are its own.

        Returns:
            Its clock, aware UTC.

        Raises:
            ExchangeError: Nothing was reached, or what answered is not STS.
        """
        try:
            self._who(self._unsigned)
        except ExchangeError as error:
            if error.error_id != "exchange/refused":
                raise
        return self.date

    def caller_identity(self, credentials: AwsCredentials) -> str:
        """The ARN of whoever has *credentials*.

        Raises:
            ExchangeError: STS refuses them, or is not reached.
        """
        with contextlib.closing(self._signing(credentials)) as client:
            return str(self._who(client)["Arn"])

    def _who(self, client: Any) -> dict[str, Any]:
        def refusal(*, code: str, message: str, status: int, request_id: str) -> ExchangeError:
            passing = is_retryable(code, status)
            return ExchangeError(
                f"GetCallerIdentity was refused: {code} {quoted(message)}.",
                fix="wait, and try again."
                if passing
                else "unset AWS_ENDPOINT_URL_STS, where it names another STS than that of AWS; if "
                "AWS refuses its own credentials, give AWS support the request id.",
                error_id="exchange/unavailable" if passing else "exchange/refused",
                code=code,
                request_id=request_id,
                retryable=passing,
            )

        return self._send(lambda: dict(client.get_caller_identity()), self._arn, refusal)


def resolve(host: str) -> str:
    """What is wrong with a host's name; empty where it resolves."""
    try:
        socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return str(error.strerror or error).lower()
    except (OSError, ValueError) as error:  # no name at all: too long a label, a null
        return str(error).lower()
    return ""


def host_of(url: str) -> str:
    """The host to connect to, of an address with or without a scheme."""
    with contextlib.suppress(ValueError):
        return urlsplit(url if "://" in url else f"//{url}").hostname or ""
    return ""


def missing_bundle() -> str:
    """The variable that names a file of certificates that there is none of; empty otherwise."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):  # in botocore's own order
        if path := os.environ.get(name):
            return "" if os.path.exists(path) else name
    return ""


def told_by() -> Iterator[str]:
    """The variables that lead to STS by another way, for whoever must mend them."""
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        if os.environ.get(name):
            yield name
