"""STS in several regions: an exchange continues in the next region if one of them has an outage.

Credentials of any region's STS are valid in all regions that are enabled by default (IAM user
guide, "Manage AWS STS in an AWS Region").
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import REAL, World, backoff_s
from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge._sts.calls import Outage
from gcp_aws_bridge.exceptions import ExchangeError

if TYPE_CHECKING:
    from gcp_aws_bridge._sts.calls import StsCalls
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.id_token import IdToken
    from gcp_aws_bridge.config import Role

# Pause before the next request to a region after an outage. Each trial may cost its time-out, 10 s,
# in the background; after an outage of hours, pods return to the first region within 30 minutes.
_BASE_S, _CAP_S = 60.0, 1800.0
# Errors of the region or of the way to it. Other errors are decisions, which all regions share.
_OUTAGES = frozenset(
    {"exchange/garbage", "exchange/tls", "exchange/unavailable", "exchange/unreachable"}
)
# STS could not reach the issuer of the token: a fault of the issuer, not of the region.
_ISSUER_CODE = "IDPCommunicationError"


class StsRegions:
    """STS in several regions of a partition. Has the interface of `Sts`.

    Each request goes to the first region that has no outage as far as this process knows, then to
    the others, each with its own time-outs. Until the pause after its outage ends, a region comes
    last.

    Args:
        regions: In the order of preference.
        world: Its monotonic clock and randomness determine the pauses.
    """

    def __init__(self, regions: Sequence[StsCalls], world: World = REAL) -> None:
        self._regions = tuple(regions)
        self._world = world

    @property
    def key(self) -> Hashable:
        """Equal if the same servers are reached in the same way."""
        return tuple(sts.key for sts in self._regions)

    def with_world(self, world: World) -> StsRegions:
        """Return the same regions with the clock of *world*."""
        return StsRegions(self._regions, world)

    def assume_role_with_web_identity(self, token: IdToken, role: Role) -> AwsCredentials:
        """Assume the first role; see `Sts`. Raises the error of the last region."""
        return self._first(lambda sts: sts.assume_role_with_web_identity(token, role))

    def assume_role(self, credentials: AwsCredentials, role: Role, position: int) -> AwsCredentials:
        """Assume a chained role; see `Sts`. Raises the error of the last region."""
        return self._first(lambda sts: sts.assume_role(credentials, role, position))

    def _first(self, request: Callable[[StsCalls], AwsCredentials]) -> AwsCredentials:
        """Return the answer of the first region without an outage."""
        *others, last = self._in_order()
        failed = ""
        for sts in others:
            try:
                return self._answered(sts, request)
            except ExchangeError as error:  # noqa: PERF203 - one iteration for each region
                if not _is_outage(error):
                    raise
                failed += f" STS in {sts.region_name}: {error.code}."
        try:
            return self._answered(last, request)
        except ExchangeError as error:
            error.details = (error.details + failed).strip()
            raise

    def _answered(
        self, sts: StsCalls, request: Callable[[StsCalls], AwsCredentials]
    ) -> AwsCredentials:
        """Return the answer of one region, and record whether it has an outage."""
        try:
            credentials = request(sts)
        except ExchangeError as error:
            if _is_outage(error):
                self._failed(sts, error)
            else:
                sts.outage = None  # it has answered
            raise
        if sts.outage is not None:
            log.info("STS in %s answers again", sts.region_name)
        sts.outage = None
        return credentials

    def _failed(self, sts: StsCalls, error: ExchangeError) -> None:
        number = 1 if sts.outage is None else sts.outage.number + 1
        pause_s = backoff_s(number, base_s=_BASE_S, cap_s=_CAP_S, jitter=self._world.jitter())
        sts.outage = Outage(number, self._world.monotonic() + pause_s)
        write = log.warning if number == 1 else log.debug
        write("STS in %s: %s; the next region is used", sts.region_name, error.code or error)

    def _in_order(self) -> list[StsCalls]:
        """Return the regions in the order in which they are tried."""
        now_s = self._world.monotonic()

        def retry_at_s(sts: StsCalls) -> float:
            over = sts.outage is None or now_s >= sts.outage.retry_at_s
            return 0.0 if over or sts.outage is None else sts.outage.retry_at_s

        return sorted(self._regions, key=retry_at_s)  # stable: the preferred ones first


def _is_outage(error: ExchangeError) -> bool:
    is_ours = error.error_id in _OUTAGES and error.code != _ISSUER_CODE
    return error.retryable and is_ours
