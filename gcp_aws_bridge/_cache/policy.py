"""When credentials are refreshed: arithmetic of instants, without a clock and without threads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from gcp_aws_bridge._cache.clock import backoff_s
from gcp_aws_bridge.exceptions import BridgeError


class Perishable(Protocol):
    """What a credential cache keeps fresh: one immutable value that expires."""

    @property
    def expiration(self) -> datetime:
        """The last instant of use, aware UTC."""

    @property
    def public_id(self) -> str:
        """Tells this value from the one before; not secret."""


class Instant(NamedTuple):
    """One instant by both clocks: aware UTC, and seconds of the monotonic clock."""

    wall: datetime
    monotonic_s: float


class Kept:
    """Credentials and the instants that decide about them. Immutable; `repr` shows no secret.

    Not a tuple: crash reporters print the items of one. Each instant is compared with two clocks,
    and the first to reach it decides. The wall clock goes on while a machine sleeps; the monotonic
    clock cannot be set back, which would make credentials look valid that AWS takes for expired.

    Attributes:
        credentials: A `Perishable`.
        advisory_at, advisory_s: From here on the next caller starts a refresh in the background.
        mandatory_at, mandatory_s: From here on they are not returned any more.
        life_s: Their life when they were obtained.
        rejected: A service rejected them as expired or invalid, and no refresh has ended since.
        was_rejected: A service rejected them at some time: they are to be replaced soon.
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
        """Return the seconds for which they may still be returned."""
        wall_s = (self.mandatory_at - now.wall).total_seconds()
        return max(0.0, min(wall_s, self.mandatory_s - now.monotonic_s))

    def as_rejected(self) -> Kept:
        """Return the same credentials, as rejected by a service."""
        overdue = Instant(self.advisory_at, float("-inf"))
        return self._marked(overdue, rejected=True, was_rejected=True)

    def reprieved(self) -> Kept:
        """Return the same credentials, to be served after all, and replaced as soon as possible."""
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
    """The last refresh failed.

    Attributes:
        error: Holds no traceback: its frames would hold the token.
        number: Number of failures in a row.
        pause_s: Seconds until the next attempt in the background.
        retry_at_s: The instant of that attempt, by the monotonic clock: a wall clock that is set
            back must not delay it.
        remembered_until_s: Until then the error is the answer to callers who find nothing valid.
    """

    error: BridgeError
    number: int
    pause_s: float
    retry_at_s: float
    remembered_until_s: float

    def forgotten(self) -> Failure:
        """Return the same failure, which is no answer to any caller."""
        return self._replace(remembered_until_s=float("-inf"))


class Memory(NamedTuple):
    """What one process passes on to the next."""

    kept: Kept | None = None
    failure: Failure | None = None


class Rejections(NamedTuple):
    """Services rejected credentials that are valid by both clocks.

    Attributes:
        number: Number of rejections in a row.
        believed_from_s: The next rejection is not believed before; monotonic clock.
    """

    number: int
    believed_from_s: float


NO_REJECTION = Rejections(0, float("-inf"))


class RefreshPolicy(NamedTuple):
    """When credentials are refreshed. Times in seconds; fractions are of the credentials' life.

    Attributes:
        earliest, latest: The background refresh starts at a random point between the two, drawn
            for each set of credentials, so that pods which started together spread out:
            in three rounds, at this width (docs/explanation/fleet.md).
        mandatory_window_s: Credentials with less life than this are not returned: a request
            signed with them could arrive too late. aws-config's identity cache uses 10 s too.
        ending_s, ending_share: With less life than this left, and less than that share of it, a
            caller waits briefly for fresh credentials. botocore's mandatory window has 600 s too.
            The share is below `1 - latest`: a process that keeps asking has refreshed before.
        ending_wait_s: The longest such wait, from the start of the attempt.
        most_share: Callers who need credentials for some time are content with this share of the
            life of fresh ones.
        attempts, pause_s, pause_cap_s: With nothing valid, a failure that may pass is tried again
            at once, this often in all, after about this long (doubling).
        backoff_base_s, backoff_cap_s: Pause between attempts that fail.
        unhurried_s, unhurried_share, quick_retries: While more life than this is left, and after
            so many failures, the pause is drawn up to that share of the rest, so that a fleet
            does not come back at the same moment (docs/explanation/fleet.md).
        reject_base_s, reject_cap_s: Pause between two rejections that are believed. A service that
            rejects every key (a region that is not enabled says `InvalidClientTokenId`) would
            otherwise cause an exchange with every request.
        remember_s: With nothing valid, the longest time for which an error answers callers, so
            that a thousand threads do not become a thousand requests.
        wait_s: The longest that a caller waits for an attempt of another thread.
        stalled_s: After so long a waiting thread runs an attempt of its own: the other thread may
            need a lock that this one holds. Several times what an exchange takes.
        rejected_wait_s: The longest that a caller waits for other credentials while rejected ones
            are valid by both clocks: the rejection may have been a mistake.
        unfinished, unfinished_pause_s: With so many attempts that never ended, the next one starts
            so long after the last: each holds a thread.
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

    def keep(
        self, credentials: Perishable, obtained: datetime, obtained_s: float, jitter: float
    ) -> Kept:
        """Return *credentials*, obtained just now by both clocks, with the instants that decide."""
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

    def is_ending(self, kept: Kept, now: Instant) -> bool:
        """Return whether so little life is left that a caller waits briefly for more.

        In the last second it does not: after the wait there would be nothing to serve.
        """
        left_s = kept.remaining_s(now)
        most_s = min(self.ending_s, self.ending_share * kept.life_s) - self.mandatory_window_s
        return self.ending_wait_s < left_s < most_s

    def retry_after_s(self, attempt: int, jitter: float) -> float:
        """Return the pause after the n-th request of one attempt, while a caller waits for it."""
        return backoff_s(attempt, base_s=self.pause_s, cap_s=self.pause_cap_s, jitter=jitter)

    def is_recent(self, failure: Failure | None, now_s: float) -> bool:
        """Return whether *failure* belongs to an outage of now; else no caller has asked since."""
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
        """Return when to try again after a failure, with *remaining_s* of valid credentials."""
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
        """Return when to believe the next rejection, after one more."""
        # One that comes long after it would have been believed has a cause of its own.
        in_a_row = now_s - previous.believed_from_s < self.reject_cap_s
        number = previous.number if in_a_row else 0
        pause_s = backoff_s(
            number, base_s=self.reject_base_s, cap_s=self.reject_cap_s, jitter=jitter
        )
        return Rejections(number + 1, now_s + pause_s)


POLICY = RefreshPolicy()
