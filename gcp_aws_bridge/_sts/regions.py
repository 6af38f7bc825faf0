"""STS in several regions: an exchange continues in the next region if one of them has an outage.

Credentials of a regional endpoint are valid in all regions (IAM user guide, "Manage AWS STS in an
AWS Region").
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge._sts.region_health import RegionHealth
from gcp_aws_bridge.exceptions import ExchangeError

if TYPE_CHECKING:
    from gcp_aws_bridge._sts.calls import StsCalls
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.id_token import IdToken
    from gcp_aws_bridge.config import Role

# Errors of the region or of the way to it, also those that would be the same in the next attempt: a
# certificate that has expired, a firewall's page. Other errors are decisions of STS, which all
# regions share, except that one may be disabled.
_OUTAGES = frozenset(
    {"exchange/garbage", "exchange/tls", "exchange/unavailable", "exchange/unreachable"}
)
# STS could not reach the issuer of the token: a fault of the issuer, not of the region.
_ISSUER_CODE = "IDPCommunicationError"


class StsRegions:
    """STS in several regions of a partition. Has the interface of `Sts`.

    Each request goes to the first region that has no outage as far as this process knows, then to
    the others, each with its own time-outs. After the pause that follows an outage, one request
    tries the region again. All roles of the process share what is known (`RegionHealth`).

    Args:
        regions: In the order of preference.
        world: Its monotonic clock and randomness determine the pauses.
    """

    def __init__(self, regions: Sequence[StsCalls], world: World = REAL) -> None:
        self._regions = tuple(regions)
        self._world = world
        for sts in self._regions:
            if sts.health is None:
                sts.health = RegionHealth()

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
        regions = self._in_order()
        failed, may_pass = "", False
        for left, sts in enumerate(regions, 1 - len(regions)):
            try:
                return self._answered(sts, request)
            except ExchangeError as error:  # noqa: PERF203 - one iteration for each region
                seen = f"{failed} STS in {sts.region_name}: {error.code or error.error_id}."
                if left == 0 or not is_outage(error):
                    error.details = (error.details + seen).strip()
                    error.retryable |= may_pass and is_outage(error)
                    raise
                failed, may_pass = seen, may_pass or error.retryable
        raise AssertionError("no region")  # pragma: no cover

    def _answered(
        self, sts: StsCalls, request: Callable[[StsCalls], AwsCredentials]
    ) -> AwsCredentials:
        """Return the answer of one region, and record whether it has an outage."""
        health: RegionHealth = sts.health
        pending = health.begin(self._world.monotonic())
        try:
            credentials = request(sts)
        except ExchangeError as error:
            if not is_outage(error):
                _answers(sts)
            elif health.failed(pending, self._world.monotonic(), self._world.jitter()):
                log.warning("STS in %s has an outage: %s", sts.region_name, error.code or error)
            else:
                log.debug("STS in %s: %s", sts.region_name, error.code or error)
            raise
        finally:
            health.end(pending)
        _answers(sts)
        return credentials

    def _in_order(self) -> list[StsCalls]:
        """Return the regions in the order in which they are tried."""
        now_s = self._world.monotonic()
        ranked = sorted(self._regions, key=lambda sts: sts.health.rank(now_s))  # stable
        first = ranked[0].health
        if first.rank(now_s)[0] < 2 and not first.claim_trial(now_s):
            ranked.append(ranked.pop(0))  # another thread tries it
        return ranked


def _answers(sts: StsCalls) -> None:
    if sts.health.answered():
        log.info("STS in %s answers again", sts.region_name)


def is_outage(error: ExchangeError) -> bool:
    """Return whether *error* is of the region or of the way to it."""
    return error.error_id in _OUTAGES and error.code != _ISSUER_CODE
