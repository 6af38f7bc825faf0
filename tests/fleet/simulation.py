"""A day of many pods, event by event, with the library's refresh policy and a simulated clock.

Every pod is busy: a caller comes when credentials are due, or an error has been forgotten, which is
the highest possible load on STS. A pod behaves like `_cache.Cache` (`test_fleet.py` compares the
two), without threads: a hundred thousand caches would need as many threads.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from gcp_aws_bridge._cache.policy import POLICY, Failure, Kept, RefreshPolicy
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ExchangeError

HOUR_S = 3600.0
_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
AWAY = ExchangeError("away", code="EndpointConnectionError", retryable=True)


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
