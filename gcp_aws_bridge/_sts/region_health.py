"""State of STS in one region, as far as a process knows: an outage, its end, slow requests.

Threads share it without a lock, see `_cache/atomic`: each change is one assignment or one call of a
method of `dict`. A forked child inherits it.
"""

from __future__ import annotations

import os

from gcp_aws_bridge._cache.clock import backoff_s

# Pause before the next request to a region after an outage. Each trial may cost its time-out, 10 s,
# in the background; after an outage of hours, pods return to the first region within 30 minutes.
_BASE_S, _CAP_S = 60.0, 1800.0
# The longest pause after a trial that ended without a result; longer than a request.
_TRIAL_S = 60.0
# STS answers in tenths of a second. Less than `RefreshPolicy.stalled_s`, after which a caller that
# waits makes a request of its own, which must not wait for the same time-out.
_SLOW_S = 1.0


class Outage:
    """An outage. Immutable, except for the claim of its trial.

    Attributes:
        number: Failed trials in a row, including the first failure.
        retry_at_s: Until then, the region comes last; monotonic clock.
    """

    def __init__(self, number: int, retry_at_s: float) -> None:
        self.number, self.retry_at_s = number, retry_at_s
        self._claims: dict[None, object] = {}

    def claim(self) -> bool:
        """Return whether the caller is the first to claim the trial after the pause."""
        mine = object()
        return self._claims.setdefault(None, mine) is mine


class Request:
    """A pending request.

    Attributes:
        outage: The outage that was known when it began.
    """

    def __init__(self, begun_s: float, outage: Outage | None) -> None:
        self.begun_s, self.outage, self._pid = begun_s, outage, os.getpid()

    def is_slow(self, now_s: float) -> bool:
        """Return whether the region should have answered. False for a thread of a parent."""
        return now_s - self.begun_s >= _SLOW_S and self._pid == os.getpid()


class RegionHealth:
    """Outage and pending requests of STS in one region.

    Attributes:
        outage: The current outage, as far as this process knows.
    """

    def __init__(self) -> None:
        self.outage: Outage | None = None
        self._pending: dict[Request, None] = {}

    def rank(self, now_s: float) -> tuple[int, float]:
        """Return the place of the region: usable, slow, in an outage (by the end of its pause)."""
        outage = self.outage
        if outage is not None and now_s < outage.retry_at_s:
            return 2, outage.retry_at_s
        is_slow = any(request.is_slow(now_s) for request in [*self._pending])
        return int(is_slow), 0.0

    def claim_trial(self, now_s: float) -> bool:
        """Return whether the caller may use a usable region; after an outage, only one caller."""
        outage = self.outage
        if outage is None:
            return True
        if now_s < outage.retry_at_s or not outage.claim():
            return False
        self.outage = Outage(outage.number, now_s + _TRIAL_S)
        return True

    def begin(self, now_s: float) -> Request:
        """Return a new pending request."""
        request = Request(now_s, self.outage)
        self._pending[request] = None
        return request

    def end(self, request: Request) -> None:
        """Remove *request*, whatever its result is."""
        self._pending.pop(request, None)

    def answered(self) -> bool:
        """Record an answer. Return whether it ended an outage."""
        was, self.outage = self.outage, None
        return was is not None

    def failed(self, request: Request, now_s: float, jitter: float) -> bool:
        """Record that *request* failed. Return whether an outage begins.

        Of many requests that fail at the same time, one counts.
        """
        known = self.outage
        if known is not request.outage:
            return False
        number = 1 if known is None else known.number + 1
        pause_s = backoff_s(number, base_s=_BASE_S, cap_s=_CAP_S, jitter=jitter)
        self.outage = Outage(number, now_s + pause_s)
        return known is None
