"""When credentials are renewed: pure arithmetic of instants, no clock and no threads.

fresh ──── about half of the life ──── stale but valid ──── last seconds ──── gone
NOT_NEEDED           ADVISORY: served, one refresh          MANDATORY: callers wait,
                     in the background, backing off         all for one attempt
"""

import enum
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gcp_aws_bridge._credentials import Perishable
from gcp_aws_bridge._world import backoff_s
from gcp_aws_bridge.exceptions import BridgeError


class RefreshStatus(enum.Enum):
    """What a caller must do about credentials of a given age."""

    NOT_NEEDED = "serve"
    ADVISORY = "serve, and refresh in the background"
    MANDATORY = "wait for fresh ones"


class Kept(NamedTuple):
    """Credentials and the instants that decide about them: published in one assignment.

    Each instant is held against two clocks, and the first to reach it decides. The wall clock
    goes on while a machine sleeps; the monotonic one cannot be set back, which would make
    credentials look fresh that AWS ended long ago.

    Attributes:
        credentials: A `Perishable`; of which kind, its cell knows.
        advisory_at: From when on the next caller starts a refresh in the background.
        mandatory_at: From when on they are not given out any more; never before `advisory_at`.
        advisory_s, mandatory_s: The same instants in seconds of the monotonic clock.
        rejected: A service refused them as expired or invalid: given out only if no others come.
        refused: They were, at some time: nothing that is worth having while others may be had.
    """

    credentials: Any
    advisory_at: datetime
    mandatory_at: datetime
    advisory_s: float
    mandatory_s: float
    rejected: bool = False
    refused: bool = False

    def is_fresh(self, now: datetime, now_s: float) -> bool:
        """The one question of the hot path."""
        return now < self.advisory_at and now_s < self.advisory_s

    def status(self, now: datetime, now_s: float) -> RefreshStatus:
        """Args: the wall clock (aware UTC) and the monotonic clock (seconds), read together."""
        if self.rejected or now >= self.mandatory_at or now_s >= self.mandatory_s:
            return RefreshStatus.MANDATORY
        fresh = self.is_fresh(now, now_s)
        return RefreshStatus.NOT_NEEDED if fresh else RefreshStatus.ADVISORY

    def remaining_s(self, now: datetime, now_s: float) -> float:
        """Seconds for which they may still be given out."""
        wall_s = (self.mandatory_at - now).total_seconds()
        return max(0.0, min(wall_s, self.mandatory_s - now_s))

    def as_rejected(self) -> "Kept":
        """The same, to be replaced before they are given out again."""
        return self._replace(advisory_s=float("-inf"), rejected=True, refused=True)

    def reprieved(self) -> "Kept":
        """The same, to be given out after all, and replaced as soon as that can be."""
        return self._replace(rejected=False)


class Failure(NamedTuple):
    """The last attempt failed.

    Attributes:
        number: Of failures in a row.
        pause_s: Until the next attempt in the background.
        retry_at_s: When that is, in seconds of the monotonic clock, since a wall clock that is
            set back must not put the next attempt off.
        remembered_until_s: With nothing valid, answers further callers until then.
    """

    error: BridgeError
    number: int
    pause_s: float
    retry_at_s: float
    remembered_until_s: float

    def forgotten(self) -> "Failure":
        """The same, but that it is no answer to anybody."""
        return self._replace(remembered_until_s=float("-inf"))


class Memory(NamedTuple):
    """What goes from one process to the next."""

    kept: Kept | None = None
    failure: Failure | None = None


class Rejections(NamedTuple):
    """Services refused credentials that are valid by our clocks, this often in a row.

    Attributes:
        believed_from_s: The next rejection is not believed before; monotonic clock.
    """

    number: int
    believed_from_s: float


NO_REJECTION = Rejections(0, float("-inf"))


class RefreshPolicy(NamedTuple):
    """When credentials are renewed. Times in seconds; fractions are of the credentials' life.

    Attributes:
        earliest, latest: The background refresh starts at a random point between the two, drawn
            anew for each set of credentials, so that pods which started together spread out:
            in three rounds, at this width (docs/explanation/fleet.md).
        mandatory_window_s: Credentials with less life than this are not given out: a request
            signed with them could arrive too late. aws-config's identity cache uses 10 s too.
        attempts, pause_s, pause_cap_s: While a caller waits, the first failure, if worth it, is
            tried again at once, this often in all, after about this long (doubling).
        backoff_base_s, backoff_cap_s: Between attempts that fail.
        unhurried_s, unhurried_share, quick_retries: While more life than this is left, and after
            so many failures, the pause is drawn up to that share of what is beyond: who can wait
            out an outage does not join the herd at its end (docs/explanation/fleet.md).
        reject_base_s, reject_cap_s: Between two rejections that are believed. A service that takes
            no key at all (a region that is not enabled says `InvalidClientTokenId`) would else
            have every request fetch another.
        remember_s: With nothing valid, how long at most an error answers further callers, so that
            a thousand threads do not become a thousand requests, nor a thousand pods a herd.
        wait_s: The longest that anybody waits for an attempt that never ends.
        rejected_wait_s: The longest that a caller waits for others while rejected credentials are
            good by our clocks: what rejected them may have been mistaken.
        lost_flights, lost_pause_s: With so many attempts that never ended, the next one starts so
            long after the last: each holds a thread.
    """

    earliest: float = 0.35
    latest: float = 0.65
    mandatory_window_s: float = 10.0
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
    rejected_wait_s: float = 3.0
    lost_flights: int = 3
    lost_pause_s: float = 900.0

    def keep(
        self, credentials: Perishable, obtained: datetime, obtained_s: float, jitter: float
    ) -> "Kept":
        """Fix the instants that decide about *credentials*, obtained just now by both clocks."""
        life_s = (credentials.expiration - obtained).total_seconds()
        fraction = self.earliest + (self.latest - self.earliest) * jitter
        mandatory_after_s = life_s - self.mandatory_window_s
        advisory_after_s = min(life_s * fraction, mandatory_after_s)
        return Kept(
            credentials,
            advisory_at=obtained + timedelta(seconds=advisory_after_s),
            mandatory_at=obtained + timedelta(seconds=mandatory_after_s),
            advisory_s=obtained_s + advisory_after_s,
            mandatory_s=obtained_s + mandatory_after_s,
        )

    def retry_after_s(self, attempt: int, jitter: float) -> float:
        """The pause after the n-th attempt of one flight, while somebody waits for it."""
        return backoff_s(attempt, base_s=self.pause_s, cap_s=self.pause_cap_s, jitter=jitter)

    def is_recent(self, failure: Failure, now_s: float) -> bool:
        """Whether it is of the outage, if any, of now: nobody asked since, or it failed again."""
        return now_s - failure.retry_at_s < self.backoff_cap_s

    def fail(
        self,
        error: BridgeError,
        previous: Failure | None,
        now_s: float,
        jitter: float,
        *,
        remaining_s: float,
    ) -> Failure:
        """When to try again after one more failure, with *remaining_s* of valid credentials."""
        number = previous.number + 1 if previous and self.is_recent(previous, now_s) else 1
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
        """When to believe the next one, after one more rejection."""
        # One that comes long after it would have been believed has a cause of its own.
        in_a_row = now_s - previous.believed_from_s < self.reject_cap_s
        number = previous.number if in_a_row else 0
        pause_s = backoff_s(
            number, base_s=self.reject_base_s, cap_s=self.reject_cap_s, jitter=jitter
        )
        return Rejections(number + 1, now_s + pause_s)


POLICY = RefreshPolicy()
