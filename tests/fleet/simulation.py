"""A day of many pods, event by event, with the library's refresh policy and a simulated clock.

Every pod is busy: a caller comes when credentials are due, or an error has been forgotten, which is
the highest possible load on STS. A pod behaves like `_cache.Cache` (`test_fleet.py` compares the
two), without threads: a hundred thousand caches would need as many threads.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._cache.policy import POLICY, Failure, Kept, RefreshPolicy
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.regions import StsRegions
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ExchangeError

HOUR_S = 3600.0
_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
AWAY = ExchangeError("away", code="EndpointConnectionError", retryable=True)
_ROLE = Role("arn:aws:iam::123456789012:role/etl", sts_regions=["eu-west-1", "eu-central-1"])


class Outage(NamedTuple):
    """An outage of STS from *start_s* until *end_s*."""

    start_s: float
    end_s: float

    def covers(self, now_s: float) -> bool:
        return self.start_s <= now_s < self.end_s


NO_OUTAGE = Outage(0.0, 0.0)


class Pod:
    """A process that never stops requesting credentials.

    Args:
        life_s: The lifetime of the credentials: the role's `duration_seconds`.
        jitter: A function that draws from [0, 1).
    """

    def __init__(
        self,
        *,
        life_s: float = HOUR_S,
        policy: RefreshPolicy = POLICY,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._life_s = life_s
        self._policy = policy
        self._jitter = jitter
        self._kept: Kept | None = None
        self._failure: Failure | None = None
        self._attempts = 0  # of the pending refresh
        self.without_s = 0.0  # time without valid credentials
        self._nothing_from_s: float | None = None

    def ask(self, now_s: float, *, answered: bool) -> float:
        """Make one request to STS and return the instant of the next one."""
        policy, kept = self._policy, self._kept
        waited_for = kept is None or now_s >= kept.mandatory_s
        if waited_for and self._nothing_from_s is None:
            self._nothing_from_s = now_s if kept is None else kept.mandatory_s
        if answered:
            return self._serve(now_s)
        self._attempts += 1
        if waited_for and self._failure is None and self._attempts < policy.attempts:
            return now_s + policy.retry_after_s(self._attempts, self._jitter())
        self._attempts = 0
        remaining_s = 0.0 if kept is None else max(0.0, kept.mandatory_s - now_s)
        failure = self._failure = policy.fail(
            AWAY, self._failure, now_s, self._jitter(), remaining_s=remaining_s
        )
        if waited_for:
            return failure.remembered_until_s
        assert kept is not None
        # A caller after the expiration waits for an attempt, without a back-off.
        return min(failure.retry_at_s, max(kept.mandatory_s, failure.remembered_until_s))

    def _serve(self, now_s: float) -> float:
        if self._nothing_from_s is not None:
            self.without_s += now_s - self._nothing_from_s
            self._nothing_from_s = None
        now = _EPOCH + timedelta(seconds=now_s)
        credentials = AwsCredentials("", "", "", now + timedelta(seconds=self._life_s))
        self._kept = self._policy.keep(credentials, now, now_s, self._jitter())
        self._failure, self._attempts = None, 0
        return self._kept.advisory_s


class Region:
    """STS in one region, as `StsRegions` uses it for one pod.

    Args:
        asked: Called with the region's name for each request.
    """

    def __init__(
        self, name: str, outage: Outage, now_s: Callable[[], float], asked: Callable[[str], object]
    ) -> None:
        self.region_name = self.key = name
        self.health: Any = None
        self._outage, self._now_s, self._asked = outage, now_s, asked

    def assume_role_with_web_identity(self, token: object, role: object) -> None:
        self._asked(self.region_name)
        if self._outage.covers(self._now_s()):
            raise ExchangeError("", error_id="exchange/unreachable", retryable=True)


class PodWithRegions(Pod):
    """A pod that uses STS in several regions, with the library's own rules for their order.

    Args:
        outages: For each region.
        asked: Called with the region's name for each request.
    """

    def __init__(
        self, outages: Sequence[Outage], asked: Callable[[str], object], **settings: Any
    ) -> None:
        super().__init__(**settings)
        self._now_s = 0.0
        world = REAL._replace(monotonic=lambda: self._now_s, jitter=self._jitter)
        regions: Any = [
            Region(name, outage, lambda: self._now_s, asked)
            for name, outage in zip(_ROLE.sts_regions, outages, strict=True)
        ]
        self._sts = StsRegions(regions, world)

    def exchange(self, now_s: float) -> float:
        """Make one exchange and return the instant of the next one."""
        self._now_s = now_s
        try:
            self._sts.assume_role_with_web_identity("", _ROLE)  # type: ignore[arg-type]
        except ExchangeError:
            return self.ask(now_s, answered=False)
        return self.ask(now_s, answered=True)


class Day(NamedTuple):
    """The result of a fleet's day.

    Attributes:
        per_second: Requests to STS, answered or not, by second.
        without_s: Seconds without valid credentials, summed over all pods.
    """

    pods: int
    per_second: list[int]
    without_s: float

    def peak(self, start_s: float, end_s: float, *, over_s: int = 60) -> float:
        """Return requests per second in the busiest *over_s* seconds between the two instants."""
        first, last = int(start_s), int(end_s)
        return max(
            sum(self.per_second[at : at + over_s]) / over_s
            for at in range(first, max(first + 1, last - over_s))
        )

    def mean(self, start_s: float, end_s: float) -> float:
        """Return requests per second on average."""
        return sum(self.per_second[int(start_s) : int(end_s)]) / (int(end_s) - int(start_s))


def simulate(
    pods: int,
    *,
    hours: float = 24,
    start_within_s: float = 10.0,
    outage: Outage = NO_OUTAGE,
    life_s: float = HOUR_S,
    policy: RefreshPolicy = POLICY,
    seed: int = 1,
    progress: Callable[[float], None] = lambda done: None,
) -> Day:
    """Start *pods* together, and count their requests to STS."""
    chance = random.Random(seed)
    end_s = hours * HOUR_S
    per_second = [0] * int(end_s)
    fleet = [Pod(life_s=life_s, policy=policy, jitter=chance.random) for _ in range(pods)]
    due = [(chance.random() * start_within_s, number) for number in range(pods)]
    heapq.heapify(due)
    hour = 0
    while due[0][0] < end_s:
        now_s, number = due[0]
        per_second[int(now_s)] += 1
        next_s = fleet[number].ask(now_s, answered=not outage.covers(now_s))
        heapq.heapreplace(due, (next_s, number))
        if now_s >= hour * HOUR_S:
            progress(hour / hours)
            hour += 1
    return Day(pods, per_second, sum(pod.without_s for pod in fleet))


def simulate_regions(
    pods: int,
    *,
    outages: Sequence[Outage],
    hours: float,
    seed: int = 1,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Day]:
    """Start *pods* together, which use several regions; count the requests to each of them."""
    chance = random.Random(seed)
    end_s, now_s = hours * HOUR_S, 0.0
    counts = {name: [0] * int(end_s) for name in _ROLE.sts_regions}

    def asked(name: str) -> None:
        counts[name][int(now_s)] += 1

    fleet = [PodWithRegions(outages, asked, jitter=chance.random) for _ in range(pods)]
    due = [(chance.random() * 10, number) for number in range(pods)]
    heapq.heapify(due)
    hour = 0
    while due[0][0] < end_s:
        now_s, number = due[0]
        heapq.heapreplace(due, (fleet[number].exchange(now_s), number))
        if now_s >= hour * HOUR_S:
            progress(hour / hours)
            hour += 1
    without_s = sum(pod.without_s for pod in fleet)
    return [Day(pods, per_second, without_s) for per_second in counts.values()]
