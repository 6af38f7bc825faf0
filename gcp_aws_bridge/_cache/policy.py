"""Refresh policy: calculates the times of refreshes and retries, without a clock or threads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gcp_aws_bridge._cache.clock import backoff_s
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:

    class Perishable(Protocol):
        """An immutable value that expires, such as credentials."""

        @property
        def expiration(self) -> datetime:
            """Expiration, aware UTC."""

        @property
        def public_id(self) -> str:
            """Identifies this value; not secret."""


class Instant(NamedTuple):
    """A time by both clocks: aware UTC, and seconds of the monotonic clock."""

    wall: datetime
    monotonic_s: float


class Kept:
    """Credentials and their refresh times. Immutable; `repr` shows no secret.

    Not a tuple, because crash reporters show the items of tuples. Each time is compared with both
    clocks; the first clock to reach it counts. The wall clock also runs while the machine sleeps;
    the monotonic clock cannot be set back, which would make expired credentials look valid.

    Attributes:
        credentials: A `Perishable`.
        advisory_at, advisory_s: From then on, the next caller starts a refresh in the background.
        mandatory_at, mandatory_s: From then on, the credentials are not returned.
        life_s: Their lifetime when they were obtained, in seconds.
        rejected: A service rejected them as expired or invalid, and no refresh has ended since.
        was_rejected: A service has rejected them at some time, so they are replaced soon.
    """

    __slots__ = (
        "advisory_at",
        "advisory_s",
        "credentials",
        "life_s",
        "mandatory_at",
        "mandatory_s",
        "rejected",
        "was_rejected",
    )
    credentials: Any
    advisory_at: datetime
    advisory_s: float
    mandatory_at: datetime
    mandatory_s: float
    life_s: float
    rejected: bool
    was_rejected: bool

    def __init__(
        self,
        credentials: Any,
        *,
        advisory: Instant,
        mandatory: Instant,
        life_s: float,
        rejected: bool = False,
        was_rejected: bool = False,
    ) -> None:
        self.credentials = credentials
        self.advisory_at, self.advisory_s = advisory
        self.mandatory_at, self.mandatory_s = mandatory
        self.life_s = life_s
        self.rejected = rejected
        self.was_rejected = was_rejected

    def is_fresh(self, now: Instant) -> bool:
        """Return whether no refresh is due."""
        return now.wall < self.advisory_at and now.monotonic_s < self.advisory_s

    def remaining_s(self, now: Instant) -> float:
        """Return the seconds for which the credentials may still be returned."""
        wall_s = (self.mandatory_at - now.wall).total_seconds()
        return max(0.0, min(wall_s, self.mandatory_s - now.monotonic_s))

    def as_rejected(self) -> Kept:
        """Return the same credentials, marked as rejected by a service."""
        overdue = Instant(self.advisory_at, float("-inf"))
        return self._marked(overdue, rejected=True, was_rejected=True)

    def reprieved(self) -> Kept:
        """Return the same credentials, usable again, but due for a refresh."""
        return self._marked(Instant(self.advisory_at, self.advisory_s), rejected=False)

    def _marked(self, advisory: Instant, *, rejected: bool, was_rejected: bool = False) -> Kept:
        return Kept(
            self.credentials,
            advisory=advisory,
            mandatory=Instant(self.mandatory_at, self.mandatory_s),
            life_s=self.life_s,
            rejected=rejected,
            was_rejected=was_rejected or self.was_rejected,
        )

    def __repr__(self) -> str:
        return f"<Kept {self.credentials.public_id} until {self.mandatory_at.isoformat()}>"


class Failure(NamedTuple):
    """Failure of the last refresh.

    Attributes:
        error: The error, without a traceback, whose frames would hold the token.
        number: Number of failures in a row.
        pause_s: Seconds until the next attempt in the background.
        retry_at_s: Time of that attempt, by the monotonic clock: a wall clock that is set back must
            not delay it.
        remembered_until_s: Until then, callers without valid credentials get this error.
    """

    error: BridgeError
    number: int
    pause_s: float
    retry_at_s: float
    remembered_until_s: float

    def forgotten(self) -> Failure:
        """Return the same failure, whose error no caller gets."""
        return self._replace(remembered_until_s=float("-inf"))


class Memory(NamedTuple):
    """State that one process passes to the next."""

    kept: Kept | None = None
    failure: Failure | None = None


class Rejections(NamedTuple):
    """Rejections by services of credentials that are valid by both clocks.

    Attributes:
        number: Number of rejections in a row.
        believed_from_s: Earlier rejections do not count; monotonic clock.
    """

    number: int
    believed_from_s: float


NO_REJECTION = Rejections(0, float("-inf"))


class RefreshPolicy:
    """Refresh policy. Times are in seconds, fractions and shares are of the credentials' lifetime.

    Attributes:
        earliest, latest: The background refresh starts at a random point between these fractions,
            chosen for each set of credentials, so that pods which started together spread out in
            three rounds (docs/explanation/fleet.md).
        mandatory_window_s: Credentials with less time left are not returned: a request signed with
            them could arrive too late. aws-config's identity cache uses 10 s too.
        ending_s, ending_share: With less time left than both, a caller waits briefly for fresh
            credentials. botocore's mandatory window has 600 s too. The share is below
            `1 - latest`: in a process that is in use, the refresh has started earlier.
        ending_wait_s: The longest such wait, from the start of the attempt.
        most_share: Upper limit for the time that callers can request, as a share of the lifetime
            of fresh credentials.
        attempts, pause_s, pause_cap_s: Without valid credentials, number of requests of one attempt
            after retryable errors, and the pause between them, which doubles up to the cap.
        backoff_base_s, backoff_cap_s: Pause between failed attempts.
        unhurried_s, unhurried_share, quick_retries: With more time left than this, and after this
            number of failures, the pause is random, up to this share of the rest, so that the pods
            of a fleet do not retry simultaneously (docs/explanation/fleet.md).
        reject_base_s, reject_cap_s: Pause between two rejections that count. A service that rejects
            all keys (a disabled region answers `InvalidClientTokenId`) would otherwise cause an
            exchange with each request.
        remember_s: Without valid credentials, the longest time for which callers get the error of
            the last attempt, so that a thousand threads do not send a thousand requests.
        wait_s: The longest time that a caller waits for an attempt of another thread.
        stalled_s: Time after which a waiting thread runs another attempt: the other thread may need
            a lock that this thread holds. Several times the duration of an exchange.
        rejected_wait_s: The longest time that a caller waits for other credentials while rejected
            ones are valid by both clocks: the rejection may be a mistake.
        unfinished, unfinished_pause_s: With this number of attempts that have not ended, the next
            one starts after this pause, since each occupies a thread.
    """

    earliest: float = 0.35
    latest: float = 0.65
    mandatory_window_s: float = 10.0
    ending_s: float = 600.0
    ending_share: float = 0.3
    ending_wait_s: float = 1.0
    most_share: float = 0.9
    attempts: int = 4
    pause_s: float = 0.2
    pause_cap_s: float = 5.0
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    unhurried_s: float = 600.0
    unhurried_share: float = 0.75
    quick_retries: int = 2
    reject_base_s: float = 30.0
    reject_cap_s: float = 1800.0
    remember_s: float = 15.0
    wait_s: float = 90.0
    stalled_s: float = 3.0
    rejected_wait_s: float = 3.0
    unfinished: int = 3
    unfinished_pause_s: float = 900.0

    def __init__(self, **changes: float) -> None:
        vars(self).update(changes)

    def keep(
        self, credentials: Perishable, obtained: datetime, obtained_s: float, jitter: float
    ) -> Kept:
        """Return *credentials*, obtained at this time by both clocks, with their refresh times."""
        life_s = (credentials.expiration - obtained).total_seconds()
        fraction = self.earliest + (self.latest - self.earliest) * jitter
        mandatory_after_s = life_s - self.mandatory_window_s
        advisory_after_s = min(life_s * fraction, mandatory_after_s)

        def after(seconds: float) -> Instant:
            return Instant(obtained + timedelta(seconds=seconds), obtained_s + seconds)

        return Kept(
            credentials,
            advisory=after(advisory_after_s),
            mandatory=after(mandatory_after_s),
            life_s=life_s,
        )

    def is_enough(self, kept: Kept, now: Instant, at_least_s: float) -> bool:
        """Return whether *kept* is valid for a caller that needs it for *at_least_s* seconds."""
        # Limited to a share of the lifetime: otherwise each call would start a refresh.
        left_s = kept.remaining_s(now)
        return left_s > 0 and left_s >= min(at_least_s, self.most_share * kept.life_s)

    def is_ending(self, kept: Kept, now: Instant) -> bool:
        """Return whether a caller should wait briefly for fresh credentials.

        Not in the last second: the credentials would have expired after the wait.
        """
        left_s = kept.remaining_s(now)
        most_s = min(self.ending_s, self.ending_share * kept.life_s) - self.mandatory_window_s
        return self.ending_wait_s < left_s < most_s

    def retry_after_s(self, attempt: int, jitter: float) -> float:
        """Return the pause after the n-th request of an attempt that a caller waits for."""
        return backoff_s(attempt, base_s=self.pause_s, cap_s=self.pause_cap_s, jitter=jitter)

    def is_recent(self, failure: Failure | None, now_s: float) -> bool:
        """Return whether *failure* is part of a current outage."""
        return failure is not None and now_s - failure.retry_at_s < self.backoff_cap_s

    def fail(
        self,
        error: BridgeError,
        previous: Failure | None,
        now_s: float,
        jitter: float,
        *,
        remaining_s: float,
    ) -> Failure:
        """Return the next failure in a row, with *remaining_s* of valid credentials left."""
        recent = previous if self.is_recent(previous, now_s) else None
        number = recent.number + 1 if recent else 1
        spare_s = (remaining_s - self.unhurried_s) * self.unhurried_share
        if number > self.quick_retries and spare_s > self.backoff_cap_s:
            pause_s = self.backoff_base_s + (spare_s - self.backoff_base_s) * jitter
        else:
            pause_s = backoff_s(
                number, base_s=self.backoff_base_s, cap_s=self.backoff_cap_s, jitter=jitter
            )
        remember_s = min(pause_s, self.remember_s)
        return Failure(error, number, pause_s, now_s + pause_s, now_s + remember_s)

    def reject(self, previous: Rejections, now_s: float, jitter: float) -> Rejections:
        """Return the rejections after one more, with the time until which others do not count."""
        # A rejection long after that time has another cause.
        in_a_row = now_s - previous.believed_from_s < self.reject_cap_s
        number = previous.number if in_a_row else 0
        pause_s = backoff_s(
            number, base_s=self.reject_base_s, cap_s=self.reject_cap_s, jitter=jitter
        )
        return Rejections(number + 1, now_s + pause_s)


POLICY = RefreshPolicy()
