"""Refreshing one value: runs attempts, stores their results, and reports them.

Invariant: the result of an attempt is stored, and all waiters are woken, before it is logged and
listeners are called: a log handler or a listener may wait for a thread that waits for the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from gcp_aws_bridge._cache import state
from gcp_aws_bridge._cache.atomic import Atomic
from gcp_aws_bridge._cache.attempt import (
    RefreshAttempt,
    no_thread,
    too_slow,
    unexpected,
)
from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.events import Event, Kind, emit
from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge._cache.policy import POLICY, Instant, Memory, RefreshPolicy
from gcp_aws_bridge._cache.state import Snapshot
from gcp_aws_bridge._cache.tracing import in_trace_of_caller
from gcp_aws_bridge._cache.workers import workers_for
from gcp_aws_bridge._traceback import without_frames, without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.policy import Perishable

P = TypeVar("P", bound="Perishable")


class Refresher(Generic[P]):
    """One value and its refresh attempts. Thread-safe, re-entrant, and safe in a forked child.

    Args:
        fetch: Returns credentials, or raises `BridgeError`. Calls overlap only if a call stalls.
        label: Name of the credentials in logs, events and errors, such as a role's ARN.
        session_name: Role session name, for logs and events.
        policy: Times of refreshes and retries.
        world: Clocks and other dependencies.
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
        self._workers = workers_for(world)
        self._snapshots = Atomic(Snapshot(os.getpid()))
        self._rejected_id: str | None = None  # of the last credentials that a service rejected

    @property
    def memory(self) -> Memory:
        """State that another process needs to continue from here."""
        snapshot = self.snapshot
        return Memory(snapshot.kept, snapshot.failure)

    def recall(self, memory: Memory) -> None:
        """Continue from the state of another process; call it before the first `get`."""
        self._snapshots = Atomic(Snapshot(os.getpid(), memory))

    def remaining_s(self) -> float:
        """Return the seconds for which the credentials may be returned; 0.0: there are none."""
        return self.snapshot.remaining_s(self._now())

    def reject(self, public_id: str) -> bool:
        """Report that a service rejected the credentials with this id as expired or invalid.

        The next callers wait for other credentials for a few seconds, and then get the same ones.

        Returns:
            Whether they are from this cache, which may return other credentials next.
        """
        while True:
            old, now_s, jitter = self.snapshot, self.monotonic(), self._world.jitter()
            new, ask_again = state.rejected(old, public_id, now_s, self._policy, jitter)
            if new is old:
                return ask_again
            if self._snapshots.replace(old, new):
                self._rejected_id = public_id
                self._tell("rejected")
                return ask_again

    def _begin(self, snapshot: Snapshot, now: Instant) -> RefreshAttempt[P] | None:
        """Start a new attempt. Return None if another caller has changed the snapshot."""
        attempt: RefreshAttempt[P] = RefreshAttempt(self.label, now.monotonic_s)
        began = self._snapshots.replace(snapshot, state.started(snapshot, attempt))
        return attempt if began else None

    def _start(self, snapshot: Snapshot, now: Instant) -> None:
        """Start an attempt in the background, for which no caller waits."""
        attempt = self._begin(snapshot, now)
        if attempt is not None:
            self._submit(attempt)

    def _submit(
        self, attempt: RefreshAttempt[P], waited_for: bool = False, or_run: bool = False
    ) -> bool:
        """Run *attempt* in the background.

        It is part of the caller's trace if the caller waits or no credentials are valid. Otherwise
        it is a refresh for many callers, and belongs to no trace.

        Returns:
            False if no thread can be started and the caller must run the attempt (*or_run*).
        """
        kept = self._snapshots.newest.kept
        is_for_caller = waited_for or kept is None or kept.remaining_s(self._now()) <= 0

        def work() -> None:
            self._run(attempt, in_background=True)

        try:
            self._workers.submit(
                in_trace_of_caller(work) if is_for_caller else work,
                waited_for=waited_for,
                expires_s=kept.mandatory_s if kept else float("-inf"),
            )
        except RuntimeError as error:
            if or_run:
                return False
            if attempt.claim(self.monotonic()):
                self._fail(attempt, no_thread(self.label, error))
        except BaseException:
            if attempt.claim(self.monotonic()):  # otherwise its thread has started
                self._interrupt(attempt)
            raise
        return True

    @without_inner_frames
    def _run(self, attempt: RefreshAttempt[P], *, in_background: bool = False) -> None:
        """Run the exchange, store its result, wake all waiters, and then report the result."""
        if not attempt.claim(self.monotonic()):
            return
        try:
            credentials = attempt.fetch(
                self._fetch, self._most_requests(), lambda: self._waited_for(attempt), self._pause
            )
        except BridgeError as error:
            self._fail(attempt, error)
        except Exception as error:  # noqa: BLE001 - waiters get an error of the library
            self._fail(attempt, unexpected(self.label, error))
        except BaseException as error:
            if in_background:  # otherwise the caller was interrupted, and waiters try again
                self._fail(attempt, unexpected(self.label, error))
            raise
        else:
            self._publish(attempt, credentials)
        finally:
            if not attempt.done:
                self._interrupt(attempt)

    def _publish(self, attempt: RefreshAttempt[P], credentials: P) -> None:
        now = self._now()
        kept = self._policy.keep(credentials, now.wall, now.monotonic_s, self._world.jitter())
        self._change(lambda old: state.succeeded(old, attempt, kept))
        attempt.end(credentials)
        snapshot = self.snapshot
        for other in (snapshot.attempt, *snapshot.unfinished):
            if other is not None:
                other.wake()  # its waiters get these credentials
        self._tell("exchanged", attempt)

    def _fail(self, attempt: RefreshAttempt[P], error: BridgeError) -> None:
        without_frames(error, kept=True)
        now, jitter = self._now(), self._world.jitter()
        self._change(lambda old: state.failed(old, attempt, error, now, self._policy, jitter))
        attempt.end(error=error)
        self._tell("failed", attempt, error)

    def _interrupt(self, attempt: RefreshAttempt[P]) -> None:
        self._change(lambda old: state.interrupted(old, attempt))
        attempt.end()

    def _give_up(self, attempt: RefreshAttempt[P]) -> None:
        """Count *attempt* as failed, unless another caller has. It may still succeed."""
        now, jitter = self._now(), self._world.jitter()
        # A later caller may detect the time-out long after it happened.
        waited_s = min(now.monotonic_s - attempt.started_s, self._policy.wait_s)
        error = too_slow(self.label, waited_s)
        at = Instant(now.wall, attempt.started_s + waited_s)
        while (old := self.snapshot).attempt is attempt:
            new = state.timed_out(old, error, at, self._policy, jitter)
            if self._snapshots.replace(old, new):
                attempt.wake()
                self._tell("failed", attempt, error)

    def _change(self, change: Callable[[Snapshot], Snapshot]) -> None:
        while True:
            old = self.snapshot
            if self._snapshots.replace(old, change(old)):
                return

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; in a forked child, without the parent's attempts."""
        while True:
            snapshot, pid = self._snapshots.read(), os.getpid()
            if snapshot.pid == pid:
                return snapshot
            self._snapshots.replace(snapshot, state.forked(snapshot, pid))

    def _tell(
        self, kind: Kind, attempt: RefreshAttempt[P] | None = None, error: BridgeError | None = None
    ) -> None:
        for number, error_id in enumerate(attempt.failed if attempt else (), 1):
            log.debug("%s: attempt %d failed: %s", self.label, number, error_id)
        snapshot, now = self.snapshot, self._now()
        kept, failure, now_s = snapshot.kept, snapshot.failure, now.monotonic_s
        emit(
            Event(
                kind,
                self.label,
                self.session_name,
                attempts=attempt.requests if attempt else 0,
                seconds=now_s - attempt.started_s if attempt else 0.0,
                remaining_s=snapshot.remaining_s(now),
                expiration=kept.credentials.expiration if kept else None,
                error=error,
                failures=failure.number if failure else 0,
                retry_in_s=max(0.0, failure.retry_at_s - now_s) if failure else 0.0,
                region=getattr(attempt.credentials, "region", "") if attempt else "",
            )
        )

    def _now(self) -> Instant:
        return Instant(self._clock(), self.monotonic())

    def _pause(self, request: int) -> None:
        self._world.sleep(self._policy.retry_after_s(request, self._world.jitter()))

    def _most_requests(self) -> int:
        """Return 4 for the first attempt without valid credentials, otherwise 1.

        During an outage, the pauses between attempts are enough.
        """
        snapshot, now = self.snapshot, self._now()
        again = self._policy.is_recent(snapshot.failure, now.monotonic_s)
        kept = snapshot.kept
        rejected = kept is not None and kept.rejected and kept.remaining_s(now) > 0
        return 1 if again or rejected else self._policy.attempts

    def _waited_for(self, attempt: RefreshAttempt[P]) -> bool:
        """Return whether callers wait for *attempt*, and will wait for one more exchange."""
        snapshot, now = self.snapshot, self._now()
        # An exchange with several regions that do not answer takes the time-outs of all of them.
        spent_s = now.monotonic_s - attempt.started_s
        is_last = spent_s < self._policy.wait_s <= spent_s + spent_s / attempt.requests
        return snapshot.attempt is attempt and snapshot.remaining_s(now) <= 0 and not is_last
