"""The requests of an exchange to STS in one region, over any transport, and the errors of both.

Invariant: all errors of a request become an `ExchangeError`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._sts.answer import (
    Answer,
    Refused,
    UnreadableAnswer,
    Unusable,
    credentials_in,
    network_errors,
)
from gcp_aws_bridge._sts.parameters import chained_parameters, web_identity_parameters
from gcp_aws_bridge.exceptions import ExchangeError

if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Self

    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.id_token import IdToken
    from gcp_aws_bridge.config import Role

    class Transport(Protocol):
        """Sends requests to STS.

        `Requests`, `BotocoreClient` for sessions with hooks, or `DirectRequests` without botocore.
        """

        @property
        def url(self) -> str: ...
        @property
        def proxy(self) -> str: ...
        def send(
            self, operation: str, parameters: Mapping[str, Any], keys: AwsCredentials | None
        ) -> Answer: ...


# Longer than the time-outs of one request: 5 s for each of a few addresses, 20 s for the answer.
_LONGEST_S = 45.0


class StsCalls:
    """The requests of an exchange.

    Args:
        region_name: The region, for errors.
        transport: Sends requests to it.

    Attributes:
        key: Equal if the same server is reached in the same way; None if that is not shared.
        health: Outages of the region, for `StsRegions`.
    """

    key: Hashable = None

    def __init__(self, region_name: str, transport: Transport) -> None:
        self.region_name: str = region_name
        self.transport: Transport = transport
        self.health: Any = None

    def with_world(self, world: World) -> Self:
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
            return self._sent(operation, parameters, keys)
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
        except network_errors() as error:
            from gcp_aws_bridge._sts.errors import not_reached

            raise not_reached(self.region_name, arn, error) from None

    def _sent(self, *request: Any) -> Answer:
        return _awake(lambda: self.transport.send(*request))


def _awake(send: Callable[[], Answer]) -> Answer:
    """Call *send*, and again if the network failed while this process was frozen or asleep.

    STS closes a connection that is silent for some seconds, so such a failure is no outage. Uses
    the real clocks, as sockets do: on most systems only the wall clock runs while a machine sleeps.
    """
    begun_s, begun = REAL.monotonic(), REAL.clock()
    try:
        return send()
    except network_errors():
        waited_s = max(REAL.monotonic() - begun_s, (REAL.clock() - begun).total_seconds())
        if waited_s < _LONGEST_S:
            raise
    return send()
