"""STS in one region: the only module that calls it.

Invariants: all errors become an `ExchangeError`; tokens and keys reach no log, at any level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import botocore.exceptions
from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.late_patch import of_late_patch, patched_late
from gcp_aws_bridge._sts.answer import (
    Answer,
    Refused,
    UnreadableAnswer,
    Unusable,
    credentials_in,
)
from gcp_aws_bridge._sts.client_key import StsKey, environment_changed, sts_key
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.customized import customization
from gcp_aws_bridge._sts.endpoint import Unproven
from gcp_aws_bridge._sts.parameters import chained_parameters, web_identity_parameters
from gcp_aws_bridge._sts.request import NETWORK_ERRORS, Requests
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError

# STS answers in tenths of a second; botocore's default of 60 s would block all waiting callers.
# Only the credential cache makes several attempts, since it knows whether a caller waits.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=32,  # refreshes in the background have 16 threads, and callers their own
    retries={"total_max_attempts": 1, "mode": "standard"},
    user_agent_extra=f"gcp-aws-bridge/{__version__}",
)
# Longer than the time-outs of one request: 5 s for each of a few addresses, 20 s for the answer.
_LONGEST_S = 45.0

_log = logging.getLogger("gcp_aws_bridge")


class Transport(Protocol):
    """Sends requests to STS: `Requests`, or `BotocoreClient` for sessions with hooks."""

    @property
    def url(self) -> str: ...
    @property
    def proxy(self) -> str: ...
    def send(
        self, operation: str, parameters: Mapping[str, Any], keys: AwsCredentials | None
    ) -> Answer: ...


class Sts:
    """STS in one region, with the settings of a botocore session. Thread-safe; see `sts_for`."""

    def __init__(self, session: Session, region_name: str, config: Config = CONFIG) -> None:
        self.region_name = region_name
        # Equal if the same server is reached in the same way.
        self.key: StsKey = sts_key(session, region_name)
        self.transport = _transport(session, region_name, config)
        self.health: Any = None  # of `StsRegions`
        now = sts_key(session, region_name)
        if now != self.key:  # another thread has changed the environment
            raise environment_changed(self.key, now)

    def with_world(self, world: World) -> Sts:
        """Return this object: one region has no pauses; see `StsRegions`."""
        return self

    def assume_role_with_web_identity(self, token: IdToken, role: Role) -> AwsCredentials:
        """Assume the first role. Sends one request, unsigned, without retries.

        Raises:
            ExchangeError: STS denied it, was not reached, or sent an unusable answer.
        """

        def denied(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_token  # loaded only for an error

            return refused_token(token, role, **seen)

        parameters = web_identity_parameters(token, role)
        return self._assume("AssumeRoleWithWebIdentity", parameters, None, denied)

    def assume_role(self, credentials: AwsCredentials, role: Role, position: int) -> AwsCredentials:
        """Assume the chained role `role.chain[position]` with credentials of the previous role.

        Raises:
            ExchangeError: STS denied it, was not reached, or sent an unusable answer.
        """

        def denied(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_chained_role

            return refused_chained_role(role, position, **seen)

        parameters = chained_parameters(role, position)
        return self._assume("AssumeRole", parameters, credentials, denied)

    def _assume(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        keys: AwsCredentials | None,
        denied: Callable[..., ExchangeError],
    ) -> AwsCredentials:
        arn = parameters["RoleArn"]
        answer = self._send(operation, parameters, keys, arn, denied)
        try:
            return credentials_in(answer.result, arn.split(":")[4], self.region_name)
        except UnreadableAnswer as error:
            from gcp_aws_bridge._sts.errors import not_from_sts

            raise not_from_sts(self.region_name, arn, str(error), 200) from None

    def _send(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        keys: AwsCredentials | None,
        arn: str,
        denied: Callable[..., ExchangeError],
    ) -> Answer:
        """Send one request.

        Args:
            arn: The role, for errors.
            denied: Returns the error for an error of STS.
        """
        try:
            with wire_logs_silenced():
                return _awake(lambda: self.transport.send(operation, parameters, keys))
        except Refused as error:
            made = denied(
                code=error.code,
                message=error.message,
                status=error.status,
                request_id=error.request_id,
            )
            made.date = error.date
            raise made from None  # frames below hold the request, token included
        except Unusable as error:
            from gcp_aws_bridge._sts.errors import not_from_sts

            raise not_from_sts(self.region_name, arn, error.why, error.status, error.form) from None
        except NETWORK_ERRORS as error:
            from gcp_aws_bridge._sts.errors import not_reached

            raise not_reached(self.region_name, arn, error) from None


@without_inner_frames
def _transport(session: Session, region_name: str, config: Config) -> Transport:
    """Return what sends requests with the settings of *session*.

    Raises:
        ConfigError: A setting is malformed, or the endpoint is plain HTTP on another machine.
    """
    try:
        reason = customization(session, region_name)
        if not reason:
            try:
                return Requests(session, region_name, config)
            except Unproven as error:
                reason = str(error)
        _log.debug("botocore's client sends the requests to STS, since %s", reason)
        from gcp_aws_bridge._sts.botocore_client import BotocoreClient

        return BotocoreClient(session, region_name, config)
    except of_late_patch():
        raise patched_late(f"STS in {region_name}") from None
    except ConfigError:  # a ValueError, too
        raise
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        from gcp_aws_bridge._sts.errors import no_client

        raise no_client(error) from None


def _awake(send: Callable[[], Answer]) -> Answer:
    """Call *send*, and again if the network failed while this process was frozen or asleep.

    STS closes a connection that is silent for some seconds, so such a failure is no outage. Uses
    the real clocks, as sockets do: on most systems only the wall clock runs while a machine sleeps.
    """
    begun_s, begun = REAL.monotonic(), REAL.clock()
    try:
        return send()
    except NETWORK_ERRORS:
        waited_s = max(REAL.monotonic() - begun_s, (REAL.clock() - begun).total_seconds())
        if waited_s < _LONGEST_S:
            raise
    return send()
