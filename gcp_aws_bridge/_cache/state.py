"""Rules of the credential cache: what a caller gets, and how each event changes the state.

`decide` looks up what a caller gets, by the credentials (columns) and the refresh (rows):

    |             | fresh | stale   | ending            | rejected          | none      |
    |-------------|-------|---------|-------------------|-------------------|-----------|
    | idle        | serve | refresh | refresh, linger   | refresh, linger   | run       |
    | pending     | serve | serve   | linger            | linger            | wait      |
    | stalled     | serve | serve   | serve             | serve             | take over |
    | hanging     | serve | serve   | serve             | serve             | wait      |
    | retrying    | serve | serve   | serve             | linger            | wait      |
    | retry due   | serve | refresh | refresh           | refresh, linger   | run       |
    | backing off | serve | serve   | serve             | serve             | raise     |

`Credentials`, `Refresh` and `Action` define the words. An attempt that waits for a thread does not
time out; a thread that needs its result runs it. A pure function for each event returns the
next snapshot: `started`, `succeeded`, `failed`, `timed_out`, `interrupted`, `rejected`, `forked`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gcp_aws_bridge._cache.atomic import Version
from gcp_aws_bridge._cache.policy import (
    NO_REJECTION,
    POLICY,
    Failure,
    Instant,
    Kept,
    Memory,
    RefreshPolicy,
    Rejections,
)
from gcp_aws_bridge.exceptions import BridgeError


class Credentials(enum.Enum):
    """State of the credentials, by both clocks and by the answers of services."""

    FRESH = "fresh"  # no refresh is due
    STALE = "stale"  # a refresh is due; valid for long enough
    ENDING = "ending"  # valid for less than 10 minutes and 30 % of their life
    REJECTED = "rejected"  # valid by both clocks, and rejected by a service
    NONE = "none"  # none yet, expired, or valid for less than the caller needs


class Refresh(enum.Enum):
    """State of the refresh: the pending attempt, and the result of the last one."""

    IDLE = "idle"  # no attempt is pending, and none failed recently
    PENDING = "pending"  # an attempt is running, or waits for a thread
    STALLED = "stalled"  # it has been running for 3 s
    HANGING = "hanging"  # it has been running for 3 s, and three others have not ended either
    RETRYING = "retrying"  # an attempt is pending, and the last one failed
    RETRY_DUE = "retry due"  # the last attempt failed, and the pause after it has ended
    BACKING_OFF = "backing off"  # the pause has not ended, or three attempts have not ended


class Action(enum.Enum):
    """Result for a caller."""

    SERVE = "serve"  # return the credentials immediately
    REFRESH = "refresh"  # return the credentials immediately; start a refresh in the background
    LINGER = "linger"  # wait up to 1 s (rejected: 3 s) from the attempt's start for fresh ones
    REFRESH_AND_LINGER = "refresh, linger"  # start a refresh in the background, then linger
    RUN = "run"  # run an attempt in the caller's thread
    TAKE_OVER = "take over"  # run another attempt beside the stalled one; a task waits instead
    WAIT = "wait"  # wait for the pending attempt; a thread runs it if none has begun it
    RAISE = "raise"  # raise the error of the last attempt
    TIME_OUT = "time out"  # abandon the attempt, then `decide` again


_serve, _refresh, _linger = Action.SERVE, Action.REFRESH, Action.LINGER
_both = Action.REFRESH_AND_LINGER
_ROWS: dict[Refresh, tuple[Action, ...]] = {
    Refresh.IDLE: (_serve, _refresh, _both, _both, Action.RUN),
    Refresh.PENDING: (_serve, _serve, _linger, _linger, Action.WAIT),
    Refresh.STALLED: (_serve, _serve, _serve, _serve, Action.TAKE_OVER),
    Refresh.HANGING: (_serve, _serve, _serve, _serve, Action.WAIT),
    Refresh.RETRYING: (_serve, _serve, _serve, _linger, Action.WAIT),
    Refresh.RETRY_DUE: (_serve, _refresh, _refresh, _both, Action.RUN),
    Refresh.BACKING_OFF: (_serve, _serve, _serve, _serve, Action.RAISE),
}
TABLE = {row: dict(zip(Credentials, actions, strict=True)) for row, actions in _ROWS.items()}


if TYPE_CHECKING:

    class Attempt(Protocol):
        """An attempt to get credentials, as far as the rules depend on it."""

        @property
        def started_s(self) -> float: ...  # start by the monotonic clock
        @property
        def is_queued(self) -> bool: ...  # whether no thread has begun the attempt


class Snapshot(Version):
    """State of a credential cache. Immutable; `repr` shows no secret.

    Attributes:
        pid: Id of the process whose threads run the attempts.
        kept: The newest credentials, even if expired.
        failure: Failure of the last attempt, unless a later one succeeded.
        attempt: The pending attempt.
        unfinished: Abandoned attempts that have not ended.
        previous_id: Public id of the credentials before `kept`.
    """

    __slots__ = ("attempt", "failure", "kept", "pid", "previous_id", "rejections", "unfinished")
    pid: int
    kept: Kept | None
    failure: Failure | None
    attempt: Any
    unfinished: tuple[Any, ...]
    rejections: Rejections
    previous_id: str | None

    def __init__(self, pid: int = 0, memory: Memory = Memory()) -> None:  # noqa: B008 - immutable
        self.pid = pid
        self.kept, self.failure = memory
        self.attempt, self.unfinished = None, ()
        self.rejections, self.previous_id = NO_REJECTION, None

    def but(self, **changes: Any) -> Snapshot:
        """Return a snapshot with *changes*."""
        made = Snapshot.__new__(Snapshot)
        for name in self.__slots__:
            setattr(made, name, changes.get(name, getattr(self, name)))
        return made

    def remaining_s(self, now: Instant) -> float:
        """Return the seconds for which the credentials may be returned; 0.0: there are none."""
        return self.kept.remaining_s(now) if self.kept else 0.0

    def __repr__(self) -> str:
        return f"<Snapshot {self.kept!r} attempt={self.attempt!r} failure={self.failure!r}>"


class Decision(NamedTuple):
    """An action, and when a wait ends (*until_s*, monotonic clock); then decide again."""

    action: Action
    until_s: float = float("inf")


def decide(
    snapshot: Snapshot, now: Instant, policy: RefreshPolicy = POLICY, at_least_s: float = 0.0
) -> Decision:
    """Return what a caller gets at *now* that needs credentials for *at_least_s* seconds."""
    pending, now_s = snapshot.attempt, now.monotonic_s
    begun_s = _begun_s(pending, now_s)
    if now_s >= begun_s + policy.wait_s:
        return Decision(Action.TIME_OUT)
    credentials = credentials_of(snapshot.kept, now, policy, at_least_s)
    refresh = refresh_of(snapshot, credentials, now_s, policy)
    action = TABLE[refresh][credentials]
    if action in (Action.LINGER, Action.REFRESH_AND_LINGER):
        rejected = credentials is Credentials.REJECTED
        until_s = now_s if pending is None else pending.started_s
        until_s += policy.rejected_wait_s if rejected else policy.ending_wait_s
        return Decision(action if now_s < until_s else Action.SERVE, until_s)
    young = now_s < begun_s + policy.stalled_s
    return Decision(action, begun_s + (policy.stalled_s if young else policy.wait_s))


def credentials_of(
    kept: Kept | None, now: Instant, policy: RefreshPolicy = POLICY, at_least_s: float = 0.0
) -> Credentials:
    """Return the column of the table."""
    if kept is None or not policy.is_enough(kept, now, at_least_s):
        return Credentials.NONE
    if kept.rejected:
        return Credentials.REJECTED
    if kept.is_fresh(now):
        return Credentials.FRESH
    return Credentials.ENDING if policy.is_ending(kept, now) else Credentials.STALE


def refresh_of(
    snapshot: Snapshot, credentials: Credentials, now_s: float, policy: RefreshPolicy = POLICY
) -> Refresh:
    """Return the row of the table."""
    failure, unfinished = snapshot.failure, snapshot.unfinished
    recent = policy.is_recent(failure, now_s)
    crowded = (
        len(unfinished) >= policy.unfinished
        and now_s < unfinished[-1].started_s + policy.unfinished_pause_s
    )
    if snapshot.attempt is not None:
        if now_s >= _begun_s(snapshot.attempt, now_s) + policy.stalled_s:
            return Refresh.HANGING if crowded else Refresh.STALLED
        return Refresh.RETRYING if recent else Refresh.PENDING
    # Without usable credentials, a caller gets the error, or retries sooner.
    needed = credentials in (Credentials.NONE, Credentials.REJECTED)
    if failure is None:
        return Refresh.BACKING_OFF if crowded and not needed else Refresh.IDLE
    if crowded or now_s < (failure.remembered_until_s if needed else failure.retry_at_s):
        return Refresh.BACKING_OFF
    return Refresh.RETRY_DUE if recent else Refresh.IDLE


def started(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    """Return the snapshot with *attempt* pending. A stalled attempt that it replaces continues."""
    stalled = () if snapshot.attempt is None else (snapshot.attempt,)
    return snapshot.but(attempt=attempt, unfinished=(*snapshot.unfinished, *stalled))


def succeeded(snapshot: Snapshot, attempt: Attempt, kept: Kept) -> Snapshot:
    """Return the snapshot after *attempt* got *kept*, late or in time."""
    old, ended = snapshot.kept, _without(snapshot, attempt)
    late = snapshot.attempt is not attempt  # then *kept* counts only if it lasts longer
    if late and old and not old.rejected and old.mandatory_at >= kept.mandatory_at:
        return ended
    previous_id = old.credentials.public_id if old else snapshot.previous_id
    return ended.but(kept=kept, failure=None, previous_id=previous_id)


def failed(
    snapshot: Snapshot,
    attempt: Attempt,
    error: BridgeError,
    now: Instant,
    policy: RefreshPolicy = POLICY,
    jitter: float = 0.0,
) -> Snapshot:
    """Return the snapshot after *attempt* failed. An abandoned attempt does not count again."""
    ended = interrupted(snapshot, attempt)
    if snapshot.attempt is not attempt:
        return ended
    kept = snapshot.kept
    left_s = 0.0 if kept and kept.was_rejected else snapshot.remaining_s(now)
    failure = policy.fail(error, snapshot.failure, now.monotonic_s, jitter, remaining_s=left_s)
    return ended.but(failure=failure)


def timed_out(
    snapshot: Snapshot,
    error: BridgeError,
    now: Instant,
    policy: RefreshPolicy = POLICY,
    jitter: float = 0.0,
) -> Snapshot:
    """Return the snapshot after the pending attempt timed out. It may still get credentials."""
    attempt = snapshot.attempt
    ended = failed(snapshot, attempt, error, now, policy, jitter)
    failure = ended.failure and ended.failure.forgotten()
    return ended.but(failure=failure, unfinished=(*snapshot.unfinished, attempt))


def interrupted(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    """Return the snapshot after *attempt* got nothing. Rejected credentials are then used again."""
    ended, kept = _without(snapshot, attempt), snapshot.kept
    if snapshot.attempt is attempt and kept is not None and kept.rejected:
        return ended.but(kept=kept.reprieved())
    return ended


def rejected(
    snapshot: Snapshot,
    public_id: str,
    now_s: float,
    policy: RefreshPolicy = POLICY,
    jitter: float = 0.0,
) -> tuple[Snapshot, bool]:
    """Return the snapshot after a service rejected *public_id*, and whether to request credentials.

    Only rejections of the current credentials count; none for up to 15 s after a failed attempt.
    """
    kept, failure = snapshot.kept, snapshot.failure
    if kept is None:
        return snapshot, False
    if kept.credentials.public_id != public_id:
        return snapshot, public_id == snapshot.previous_id  # replaced while the request was sent
    if kept.rejected:
        return snapshot, True  # another caller has reported it
    just_failed = failure is not None and now_s < failure.remembered_until_s
    if just_failed or now_s < snapshot.rejections.believed_from_s:
        return snapshot, False
    rejections = policy.reject(snapshot.rejections, now_s, jitter)
    return snapshot.but(kept=kept.as_rejected(), rejections=rejections), True


def forked(snapshot: Snapshot, pid: int) -> Snapshot:
    """Return the snapshot for a forked child: no attempts, but the parent's credentials."""
    return snapshot.but(pid=pid, attempt=None, unfinished=())


def _begun_s(attempt: Attempt | None, now_s: float) -> float:
    """Return the start of *attempt* in its thread; *now_s* if none has begun it."""
    return now_s if attempt is None or attempt.is_queued else attempt.started_s


def _without(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    pending = None if snapshot.attempt is attempt else snapshot.attempt
    unfinished = tuple(other for other in snapshot.unfinished if other is not attempt)
    return snapshot.but(attempt=pending, unfinished=unfinished)
