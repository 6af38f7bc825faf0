"""Renewal: one exchange at a time, and what becomes of what it brings.

Invariant: no exchange is started beside one that somebody may still wait for; whatever happens to
one, all who wait for it are woken.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gcp_aws_bridge._credentials import Perishable
from gcp_aws_bridge._events import Event, Kind, emit
from gcp_aws_bridge._flight import Abandoned, Flight, too_slow, unexpected
from gcp_aws_bridge._fork import reset_after_fork
from gcp_aws_bridge._refresh import (
    NO_REJECTION,
    POLICY,
    Failure,
    Kept,
    Memory,
    RefreshPolicy,
    RefreshStatus,
)
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._world import REAL, World
from gcp_aws_bridge.exceptions import BridgeError

P = TypeVar("P", bound=Perishable)


class Renewal(Generic[P]):
    """One set of credentials and how it is replaced. Thread-safe, and safe to inherit by `fork`.

    Args:
        fetch: Makes credentials; raises `BridgeError`. Never called twice at the same time.
        label: Names the credentials in logs, events and errors: a role's ARN, say.
        session_name: Of the role session, for logs and events.
    """

    def __init__(
        self,
        fetch: Callable[[], P],
        *,
        label: str = "credentials",
        session_name: str = "",
        policy: RefreshPolicy = POLICY,
        world: World = REAL,
    ) -> None:
        self.label = label
        self.session_name = session_name
        self._fetch = fetch
        self._policy = policy
        self._world = world
        self._clock = world.clock
        self.monotonic: Callable[[], float] = world.monotonic
        self._kept: Kept | None = None
        self._failure: Failure | None = None  # the last one, where it was not made good
        self._rejections = NO_REJECTION
        self._last_id: str | None = None  # the one before
        self._rejected_id: str | None = None  # the last one that a service rejected
        self._flight: Flight[P] | None = None
        self._lost: list[Flight[P]] = []  # given up, and under way perhaps
        self._lock = threading.Lock()
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        # The refresher did not come along, and the lock may be held by a thread that did not
        # either. What was fetched stays good: the child does not exchange again for it.
        self._lock = threading.Lock()
        self._flight, self._lost = None, []

    @property
    def memory(self) -> Memory:
        """What another process needs to take up here."""
        return Memory(self._kept, self._failure)

    def recall(self, memory: Memory) -> None:
        """Take up where another process left off; before the first caller comes."""
        self._kept, self._failure = memory

    def reject(self, public_id: str) -> bool:
        """A service refused the credentials of this id as expired or invalid: have it replaced.

        Whoever comes next waits for others, but is given these if none are to be had. Believed of
        the current ones only, not within seconds of a failed attempt, and ever more rarely while
        what replaces it is refused too.

        Returns:
            Whether they are from here and asking again may give another one.
        """
        with self._lock:
            kept, failure, now_s = self._kept, self._failure, self.monotonic()
            if kept is None:
                return False
            if kept.credentials.public_id != public_id:
                return public_id == self._last_id  # replaced while the request was on its way
            if kept.rejected:
                return True  # somebody else said so before
            just_failed = failure is not None and now_s < failure.remembered_until_s
            if just_failed or now_s < self._rejections.believed_from_s:
                return False
            self._rejections = self._policy.reject(self._rejections, now_s, self._world.jitter())
            self._kept, self._rejected_id = kept.as_rejected(), public_id
        self._tell("rejected")
        return True

    def join(self, *, inline: bool = True) -> Flight[P] | None:
        """The attempt in flight, started if there is none; None where none is needed any more.

        Args:
            inline: Where there is no thread to be had, the caller who must wait may fly it.

        Raises:
            BridgeError: Nothing is valid, and the last attempt failed a moment ago.
        """
        flight: Flight[P] | None = None
        if (flying := self._flight) is not None and self._is_lost(flying):
            self._give_up(flying)
        try:
            with self._lock:
                if self._flight is not None or not self._may_start():
                    return self._flight
                flight = self._flight = Flight(self.label, self.monotonic())
            self._world.spawn(lambda: self._run(flight))
        except BaseException as error:
            if flight is None:
                raise
            no_thread = isinstance(error, RuntimeError)
            if no_thread and inline and self._waited_for(flight):
                self._run(flight)
            elif no_thread:
                self._land(flight, unexpected(self.label, error))
            elif flight.claim():  # else its thread did start
                self._leave(flight)
                flight.set_exception(Abandoned(self.label))
            if not no_thread:
                raise
        return flight

    def _may_start(self) -> bool:
        """Whether an attempt is due, of the lock's holder; raises what a waiting caller gets."""
        now_s, status, failure = self.monotonic(), self._status(), self._failure
        if status is RefreshStatus.NOT_NEEDED:
            return False  # refreshed while this thread waited for the lock
        crowded = self._is_crowded(now_s)
        if status is RefreshStatus.MANDATORY:
            if failure is not None and (crowded or now_s < failure.remembered_until_s):
                raise copy.copy(failure.error) from failure.error.__cause__
            return True
        return not crowded and (failure is None or now_s >= failure.retry_at_s)

    def _has_rejected(self) -> bool:
        """Whether it has nothing but what a service rejected, and what is good by our clocks."""
        kept = self._kept
        return kept is not None and kept.rejected and self.remaining_s() > 0

    def _is_lost(self, flight: Flight[P]) -> bool:
        """Whether it takes longer than anybody waits: another may start."""
        return self.monotonic() - flight.started_s >= self._policy.wait_s

    def _is_crowded(self, now_s: float) -> bool:
        """Whether so many exchanges never ended that another would be one more, and soon."""
        alive = [lost for lost in self._lost if not lost.done()]
        pause_s = self._policy.lost_pause_s
        return len(alive) >= self._policy.lost_flights and now_s < alive[-1].started_s + pause_s

    def _give_up(self, flight: Flight[P]) -> bool:
        """Count *flight* as failed, if nobody has; it may still land, better than nothing."""
        # Whoever finds it lost may come long after nobody would have waited any more.
        waited_s = min(self.monotonic() - flight.started_s, self._policy.wait_s)
        error = too_slow(self.label, waited_s)
        with self._lock:
            if self._flight is not flight:
                return False
            self._lost = [*(lost for lost in self._lost if not lost.done()), flight]
            self._end(error, flight.started_s + waited_s)
            self._failure = self._failure and self._failure.forgotten()
        self._tell("failed", flight, error)
        return True

    @without_inner_frames
    def _run(self, flight: Flight[P]) -> None:
        """Fetch, publish, then wake those who wait; whatever happens, the flight lands."""
        if not flight.claim():
            return
        flight.runner = threading.get_ident()
        try:
            credentials = flight.fly(
                self._fetch, self._attempts(), lambda: self._waited_for(flight), self._pause
            )
            self._publish(flight, credentials)
        except BridgeError as error:
            self._land(flight, error)
        except BaseException as error:
            self._land(flight, unexpected(self.label, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._leave(flight)
            flight.set_result(credentials)
            self._tell("exchanged", flight)

    def _attempts(self) -> int:
        """Several at once for who has nothing; in an outage, the pauses between flights do."""
        failure = self._failure
        again = failure is not None and self._policy.is_recent(failure, self.monotonic())
        return 1 if again or self._has_rejected() else self._policy.attempts

    def _publish(self, flight: Flight[P], credentials: P) -> None:
        kept = self._policy.keep(credentials, self._clock(), self.monotonic(), self._world.jitter())
        with self._lock:
            old = self._kept
            if old is not None:
                lost = self._flight is not flight
                if lost and not old.rejected and old.mandatory_at >= kept.mandatory_at:
                    return  # it was given up, and a later one was faster
                self._last_id = old.credentials.public_id
            self._kept, self._failure = kept, None

    def _land(self, flight: Flight[P], error: BridgeError) -> None:
        """End *flight* in *error*, for all who wait and, for a moment, for those who come next."""
        # Frames hold what was handled in them, the token included, for as long as the error lives.
        error.__traceback__ = error.__context__ = None
        self._leave(flight, error)
        flight.set_exception(error)
        self._tell("failed", flight, error)

    def _leave(self, flight: Flight[P], error: BridgeError | None = None) -> None:
        """*flight* is over, with *error* or well; unless it was given up, and another flies."""
        with self._lock:
            if self._flight is flight:
                self._end(error, self.monotonic())

    def _end(self, error: BridgeError | None, at_s: float) -> None:
        """Nothing flies, says the lock's holder; in this order, since others may fork anywhere."""
        kept = self._kept
        if kept is not None and kept.rejected:
            self._kept = kept.reprieved()  # it brought nothing: better than nothing
        if error is not None:
            left_s = 0.0 if kept is not None and kept.refused else self.remaining_s()
            self._failure = self._policy.fail(
                error, self._failure, at_s, self._world.jitter(), remaining_s=left_s
            )
        self._flight = None

    def _reprieve(self) -> None:
        with self._lock:
            self._kept = self._kept and self._kept.reprieved()

    def _tell(
        self, kind: Kind, flight: Flight[P] | None = None, error: BridgeError | None = None
    ) -> None:
        kept, failure, now_s = self._kept, self._failure, self.monotonic()
        emit(
            Event(
                kind,
                self.label,
                self.session_name,
                attempts=flight.attempts if flight else 0,
                seconds=now_s - flight.started_s if flight else 0.0,
                remaining_s=self.remaining_s(),
                expiration=kept.credentials.expiration if kept else None,
                error=error,
                failures=failure.number if failure else 0,
                retry_in_s=max(0.0, failure.retry_at_s - now_s) if failure else 0.0,
            )
        )

    def _pause(self, attempt: int) -> None:
        self._world.sleep(self._policy.retry_after_s(attempt, self._world.jitter()))

    def _waited_for(self, flight: Flight[P]) -> bool:
        return self._flight is flight and self._status() is RefreshStatus.MANDATORY

    def _status(self) -> RefreshStatus:
        kept = self._kept
        return kept.status(self._clock(), self.monotonic()) if kept else RefreshStatus.MANDATORY

    def remaining_s(self) -> float:
        """Seconds for which what it has may be given out; 0.0 where that is nothing."""
        kept = self._kept
        return kept.remaining_s(self._clock(), self.monotonic()) if kept else 0.0
