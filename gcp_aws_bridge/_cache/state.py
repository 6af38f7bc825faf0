"""What a caller gets, and what each event changes: pure functions of a snapshot and an instant.

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

`Credentials`, `Refresh` and `Action` say what the words mean. An attempt that takes longer than
any caller waits has timed out, which is an event; one that waits for a thread has not begun, and
a caller that would wait for it makes it. One function for each event returns the next
snapshot: `started`, `succeeded`, `failed`, `timed_out`, `interrupted`, `rejected`, `forked`.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, Protocol

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
    """The credentials, as the clocks and the services that were given them see them."""

    FRESH = "fresh"  # no refresh is due
    STALE = "stale"  # a refresh is due; valid for long enough
    ENDING = "ending"  # valid for less than 10 minutes
    REJECTED = "rejected"  # valid by both clocks, and rejected by a service
    NONE = "none"  # none yet, expired, or valid for less than the caller needs


class Refresh(enum.Enum):
    """The refresh: what is under way, and what became of the last attempt."""

    IDLE = "idle"  # no attempt is pending, none failed recently
    PENDING = "pending"  # an attempt is under way, or waits for a thread
    STALLED = "stalled"  # it has been for 3 s
    HANGING = "hanging"  # it has been for 3 s, and three others have not ended either
    RETRYING = "retrying"  # an attempt is under way, and the one before failed
    RETRY_DUE = "retry due"  # the last attempt failed, and the pause after it is over
    BACKING_OFF = "backing off"  # the pause is not over, or three attempts have not ended


class Action(enum.Enum):
    """What a caller gets."""

    SERVE = "serve"  # the credentials, at once
    REFRESH = "refresh"  # the credentials, at once; a refresh starts in the background
    LINGER = "linger"  # fresh ones if they come within 1 s (rejected: 3 s) of the attempt's start
    REFRESH_AND_LINGER = "refresh, linger"  # a refresh starts in the background; as above
    RUN = "run"  # the result of an attempt that its own thread makes
    TAKE_OVER = "take over"  # as above, beside the attempt that stalled; a task goes on waiting
    WAIT = (
        "wait"  # the result of the pending attempt; a thread makes it itself if none has begun it
    )
    RAISE = "raise"  # the error of the last attempt
    TIME_OUT = "time out"  # first the attempt is given up; then `decide` again


_serve, _refresh, _linger = Action.SERVE, Action.REFRESH, Action.LINGER
_both = Action.REFRESH_AND_LINGER
_COLUMNS = tuple(Credentials)
_ROWS: dict[Refresh, tuple[Action, ...]] = {
    Refresh.IDLE: (_serve, _refresh, _both, _both, Action.RUN),
    Refresh.PENDING: (_serve, _serve, _linger, _linger, Action.WAIT),
    Refresh.STALLED: (_serve, _serve, _serve, _serve, Action.TAKE_OVER),
    Refresh.HANGING: (_serve, _serve, _serve, _serve, Action.WAIT),
    Refresh.RETRYING: (_serve, _serve, _serve, _linger, Action.WAIT),
    Refresh.RETRY_DUE: (_serve, _refresh, _refresh, _both, Action.RUN),
    Refresh.BACKING_OFF: (_serve, _serve, _serve, _serve, Action.RAISE),
}
TABLE = {row: dict(zip(_COLUMNS, actions, strict=True)) for row, actions in _ROWS.items()}


class Attempt(Protocol):
    """What a snapshot knows of an attempt to get credentials."""

    @property
    def started_s(self) -> float:
        """By the monotonic clock."""

    @property
    def is_queued(self) -> bool:
        """Whether no thread has begun it: it waits for one, however many others are due."""


class Snapshot(Version):
    """All that is known at one moment. Immutable; `repr` shows no secret.

    Attributes:
        pid: The process whose threads run the attempts.
        kept: The newest credentials, expired ones included.
        failure: The last attempt's, unless a later one succeeded.
        attempt: The pending attempt.
        unfinished: Attempts that were given up and have not ended.
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
        """Return a snapshot that differs in *changes*."""
        made = Snapshot.__new__(Snapshot)
        for name in self.__slots__:
            setattr(made, name, changes.get(name, getattr(self, name)))
        return made

    def remaining_s(self, now: Instant) -> float:
        """Return the seconds for which the credentials may be returned; 0.0 without any."""
        return self.kept.remaining_s(now) if self.kept else 0.0

    def __repr__(self) -> str:
        return f"<Snapshot {self.kept!r} attempt={self.attempt!r} failure={self.failure!r}>"


class Decision(NamedTuple):
    """What a caller gets; *until_s* (monotonic clock) ends a wait, after which to decide again."""

    action: Action
    until_s: float = float("inf")


def decide(
    snapshot: Snapshot, now: Instant, policy: RefreshPolicy = POLICY, at_least_s: float = 0.0
) -> Decision:
    """Return what a caller gets who asks at *now* and needs credentials for *at_least_s*."""
    pending, now_s = snapshot.attempt, now.monotonic_s
    running = pending is not None and not pending.is_queued
    if running and now_s >= pending.started_s + policy.wait_s:
        return Decision(Action.TIME_OUT)
    credentials = credentials_of(snapshot.kept, now, policy, at_least_s)
    refresh = refresh_of(snapshot, credentials, now_s, policy)
    action = TABLE[refresh][credentials]
    started_s = now_s if pending is None else pending.started_s
    if action in (Action.LINGER, Action.REFRESH_AND_LINGER):
        rejected = credentials is Credentials.REJECTED
        until_s = started_s + (policy.rejected_wait_s if rejected else policy.ending_wait_s)
        return Decision(action if now_s < until_s else Action.SERVE, until_s)
    if not running:
        started_s = now_s
    young = now_s < started_s + policy.stalled_s
    return Decision(action, started_s + (policy.stalled_s if young else policy.wait_s))


def credentials_of(
    kept: Kept | None, now: Instant, policy: RefreshPolicy = POLICY, at_least_s: float = 0.0
) -> Credentials:
    """Return the column of the table."""
    if kept is None or (left_s := kept.remaining_s(now)) <= 0:
        return Credentials.NONE
    if not is_enough(kept, left_s, at_least_s, policy):
        return Credentials.NONE
    if kept.rejected:
        return Credentials.REJECTED
    if kept.is_fresh(now):
        return Credentials.FRESH
    return Credentials.ENDING if policy.is_ending(kept, now) else Credentials.STALE


def is_enough(kept: Kept, left_s: float, at_least_s: float, policy: RefreshPolicy = POLICY) -> bool:
    """Return whether *left_s* seconds will do for a caller who needs *at_least_s*."""
    # More is not asked for: each call would then make a refresh.
    return left_s > 0 and left_s >= min(at_least_s, policy.most_share * kept.life_s)


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
        begun = not snapshot.attempt.is_queued
        if begun and now_s >= snapshot.attempt.started_s + policy.stalled_s:
            return Refresh.HANGING if crowded else Refresh.STALLED
        return Refresh.RETRYING if recent else Refresh.PENDING
    # A caller who has nothing to go on with hears of the failure, or tries again sooner.
    needed = credentials in (Credentials.NONE, Credentials.REJECTED)
    if failure is None:
        return Refresh.BACKING_OFF if crowded and not needed else Refresh.IDLE
    if crowded or now_s < (failure.remembered_until_s if needed else failure.retry_at_s):
        return Refresh.BACKING_OFF
    return Refresh.RETRY_DUE if recent else Refresh.IDLE


def started(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    """*attempt* is the pending one; one that it takes over from has not ended."""
    stalled = () if snapshot.attempt is None else (snapshot.attempt,)
    return snapshot.but(attempt=attempt, unfinished=(*snapshot.unfinished, *stalled))


def succeeded(snapshot: Snapshot, attempt: Attempt, kept: Kept) -> Snapshot:
    """*attempt* brought credentials; late ones are kept if they last longer."""
    old, ended = snapshot.kept, _without(snapshot, attempt)
    late = snapshot.attempt is not attempt
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
    """*attempt* ended in *error*. One that was given up before has been counted."""
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
    """The pending attempt is given up. It may still bring credentials; its error is no answer."""
    attempt = snapshot.attempt
    ended = failed(snapshot, attempt, error, now, policy, jitter)
    failure = ended.failure and ended.failure.forgotten()
    return ended.but(failure=failure, unfinished=(*snapshot.unfinished, attempt))


def interrupted(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    """*attempt* ended and brought nothing; rejected credentials are better than none."""
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
    """A service rejected *public_id*; also return whether to ask again for credentials.

    It is believed of the current credentials only, not within seconds of a failed attempt, and
    less and less often while what replaces them is rejected too.
    """
    kept, failure = snapshot.kept, snapshot.failure
    if kept is None:
        return snapshot, False
    if kept.credentials.public_id != public_id:
        return snapshot, public_id == snapshot.previous_id  # replaced while the request was sent
    if kept.rejected:
        return snapshot, True  # another caller said so before
    just_failed = failure is not None and now_s < failure.remembered_until_s
    if just_failed or now_s < snapshot.rejections.believed_from_s:
        return snapshot, False
    rejections = policy.reject(snapshot.rejections, now_s, jitter)
    return snapshot.but(kept=kept.as_rejected(), rejections=rejections), True


def forked(snapshot: Snapshot, pid: int) -> Snapshot:
    """In a child no thread runs the parent's attempts; its credentials stay valid."""
    return snapshot.but(pid=pid, attempt=None, unfinished=())


def _without(snapshot: Snapshot, attempt: Attempt) -> Snapshot:
    pending = None if snapshot.attempt is attempt else snapshot.attempt
    unfinished = tuple(other for other in snapshot.unfinished if other is not attempt)
    return snapshot.but(attempt=pending, unfinished=unfinished)
