"""A credential cache with simulated callers, clocks, failures and forks, and a judge of results.

`Judge` has the rules a second time, taken from the documentation. Of the code under test it reads
only the snapshots, at the instants when they are replaced.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import pytest
from fakes import START, credentials, is_whole
from properties.scheduler import Scheduler, Task

from gcp_aws_bridge._cache import fork, refresher
from gcp_aws_bridge._cache.atomic import Atomic
from gcp_aws_bridge._cache.attempt import RefreshAttempt
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.policy import Kept, RefreshPolicy
from gcp_aws_bridge._cache.state import Snapshot
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import BridgeError

# Promises of docs/explanation/refresh.md, in seconds and shares of a lifetime.
NOT_RETURNED_S = 10.0
EARLIEST = 0.35
BETWEEN_ATTEMPTS_S = 1.0  # after a failed attempt
BETWEEN_REQUESTS_S = 0.2  # within one attempt
REQUESTS = 4
BETWEEN_REJECTIONS_S = 30.0
LONGEST_WAIT_S = 90.0
STALLED_S = 3.0  # then a waiting thread makes an attempt of its own
UNFINISHED, UNFINISHED_PAUSE_S = 3, 900.0  # beyond so many, one attempt in that time
ENDING_S, ENDING_SHARE, ENDING_WAIT_S = 600.0, 0.3, 1.0
REJECTED_WAIT_S = 3.0

Threads = Literal["available", "none left", "interrupted"]
Answer = float | BaseException  # a lifetime in seconds, or an error
EPSILON_S = 1e-6


class Value(NamedTuple):
    """One set of credentials, with the instants at which it was obtained."""

    expiration: datetime
    obtained: datetime
    obtained_s: float

    def life_s(self) -> float:
        return (self.expiration - self.obtained).total_seconds()

    def left_s(self, now: datetime, now_s: float) -> float:
        """Return the lifetime that is left by the clock that leaves less."""
        left_s = (self.expiration - now).total_seconds()
        return min(left_s, self.obtained_s + self.life_s() - now_s)

    def due(self, now: datetime, now_s: float) -> bool:
        """Return whether a refresh is due by either clock."""
        age_s = max((now - self.obtained).total_seconds(), now_s - self.obtained_s)
        life_s = self.life_s()
        return age_s >= min(EARLIEST * life_s, life_s - NOT_RETURNED_S) - EPSILON_S


class Call:
    """One caller's call: what it may return, and what must not happen to it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.may_get: set[int] = set()  # credentials that were valid at some instant of the call
        self.always_servable = True  # valid credentials existed at every instant
        self.never_rejected = True  # … and no service had rejected it
        self.never_ending = True  # … and it had more than 10 minutes of life left
        self.had_to_go: int | None = None  # the set that was rejected before the call
        self.last_before = 0  # the newest set before the call
        self.makes_attempt = False  # in its own thread
        self.is_interrupted = False
        self.task: Task | None = None


class Request:
    """What the judge knows about an attempt."""

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.seen, self.last_s = 0, 0.0
        self.answer: Answer | None = None  # the answer to its last request


class Judge:
    """Raises `AssertionError` at the first violation of a rule."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self.values: dict[int, Value] = {}
        self.attempts: dict[RefreshAttempt[Any], Request] = {}
        self.calls: list[Call] = []
        self.errors: list[BaseException] = []
        self.failed_s: float | None = (
            None  # time of the last failure, if no attempt succeeded since
        )
        self.rejected: int | None = None
        self._refused: set[int] = set()  # credentials that a service has rejected
        self._believed_s = float("-inf")
        self._is_late = False  # a late result replaced the newest one
        self.verdict = ""

    def _must(self, holds: bool, otherwise: str) -> None:
        """Raise in the test's thread; a violation within a task is raised by the next step."""
        if not holds:
            self.verdict = self.verdict or otherwise
            raise AssertionError(otherwise)

    # Events.

    def call_starts(self, call: Call) -> None:
        self.calls.append(call)
        call.had_to_go = self.rejected
        call.last_before = max(self.values, default=0)
        call.never_rejected = self._current() not in self._refused
        self.note_servable()

    def note_servable(self) -> None:
        """Note for each call what it may return now."""
        number = self._current()
        valid = number is not None and self._servable(number)
        for call in self.calls:
            call.always_servable &= valid
            call.never_ending &= valid and not self._is_ending(number)
            # Of parallel attempts, a caller gets the result of its own.
            candidates = {n for n in self.values if n == number or n > call.last_before}
            call.may_get |= {n for n in candidates if self._servable(n)}

    def changed(self, old: Snapshot, new: Snapshot) -> None:
        """Check that one snapshot may replace another."""
        if new.pid != old.pid:
            return
        if new.attempt is not old.attempt and new.attempt is not None:
            self._attempt_starts(old, new)
        if new.kept is not old.kept and new.kept is not None:
            self._kept(old, new, new.kept)
        if new.failure is not old.failure and new.failure is not None:
            # Counted from the end of the attempt: its thread may have been stopped since.
            self.failed_s = new.failure.retry_at_s - new.failure.pause_s
            self._is_late, self.rejected = False, None

    def _attempt_starts(self, old: Snapshot, new: Snapshot) -> None:
        now, now_s = self._world.now, self._world.now_s
        if old.attempt is not None:
            stalled = now_s >= self.attempts[old.attempt].began_s + STALLED_S - EPSILON_S
            self._must(stalled, "two attempts at once")
            crowded = len(old.unfinished) >= UNFINISHED
            pause_s = now_s - old.unfinished[-1].started_s if crowded else float("inf")
            self._must(pause_s >= UNFINISHED_PAUSE_S, "too many attempts that never end")
        # The caller may have been stopped since it read the clock.
        self.attempts[new.attempt] = Request(new.attempt.started_s)
        if self._is_late or old.attempt is not None:
            return
        number = self._current()
        valid = number is not None and self._servable(number) and self.rejected is None
        if self.failed_s is not None and old.failure is not None:
            soon = now_s < self.failed_s + BETWEEN_ATTEMPTS_S - EPSILON_S
            timed_out = old.failure.error.error_id == "exchange/timeout"
            self._must(not soon or timed_out, "requested again too soon")
            self._must(not valid or now_s >= old.failure.retry_at_s, "did not back off")
        elif number is not None and number not in self._refused:
            self._must(self.values[number].due(now, now_s), "refreshed without need")

    def _kept(self, old: Snapshot, new: Snapshot, kept: Kept) -> None:
        number = _number(kept.credentials)
        if old.kept is not None and old.kept.credentials is kept.credentials:
            if kept.rejected:
                self._believed(number, old, new)
            else:
                self.rejected = None  # there are no others
            return
        self._is_late = new.attempt is old.attempt  # the attempt was abandoned or replaced
        self.failed_s, self.rejected = None, None
        self.note_servable()

    def _believed(self, number: int, old: Snapshot, new: Snapshot) -> None:
        now_s = self._world.now_s
        often = now_s < self._believed_s + BETWEEN_REJECTIONS_S - EPSILON_S
        self._must(not often, "believed too often")
        soon = old.failure is not None and now_s < old.failure.remembered_until_s
        self._must(not soon, "believed too soon")
        # Counted from when the caller read the clock: it may have been stopped since.
        self._believed_s = new.rejections.believed_from_s - BETWEEN_REJECTIONS_S
        self.rejected = number
        self._refused.add(number)
        for call in self.calls:
            call.never_rejected = False

    def request_starts(self, attempt: RefreshAttempt[Any]) -> None:
        known, now_s = self.attempts[attempt], self._world.now_s
        known.seen += 1
        if known.seen > 1:
            self._must(known.seen <= REQUESTS, "too many requests")
            self._must(now_s >= known.last_s + BETWEEN_REQUESTS_S - EPSILON_S, "no pause")
            self._must(isinstance(known.answer, BridgeError), "retried an error that is final")
            self._must(known.answer.retryable, "retried an error that is final")  # type: ignore[union-attr]
        known.last_s, known.answer = now_s, None

    def waits(self, task: Task | None, attempt: RefreshAttempt[Any], until_s: float) -> None:
        began_s = self.attempts[attempt].began_s
        for call in self.calls:
            if call.task is not task:
                continue
            self._must(call.kind == "get", f"{call.kind} waited")
            if not call.always_servable:
                self._must(until_s <= self._world.now_s + LONGEST_WAIT_S + EPSILON_S, "waits long")
            elif not call.never_rejected:
                self._must(until_s <= began_s + REJECTED_WAIT_S + EPSILON_S, "waits long: rejected")
            else:
                self._must(
                    not call.never_ending, "a caller waited although valid credentials existed"
                )
                self._must(until_s <= began_s + ENDING_WAIT_S + EPSILON_S, "waits long: ending")

    def forked(self) -> None:
        """The child has the cached credentials, and neither threads nor attempts."""
        self.calls, self.attempts = [], {}

    # The end of a call.

    def call_ends(self, call: Call) -> None:
        assert call.task is not None
        self.note_servable()
        self.calls.remove(call)
        error, value = call.task.error, call.task.value
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            mine = call.makes_attempt or call.is_interrupted
            self._must(mine, "an interrupt that was not this caller's")
        elif error is not None:
            self._must(isinstance(error, BridgeError), f"{error!r} got out")
            self._must("get" == call.kind, f"{call.kind} raised")
            self._must(not call.always_servable, "an error although valid credentials existed")
            self._must(error not in self.errors, "two callers share an error")
            self.errors.append(error)
        elif isinstance(value, AwsCredentials):
            self._may_be_given(call, value)
        else:
            self._must("get" != call.kind, "get returned nothing")

    def _may_be_given(self, call: Call, value: AwsCredentials) -> None:
        number = _number(value)
        assert is_whole(value)
        self._must(number in call.may_get, "expired credentials were returned")
        still_bad = number == call.had_to_go == self.rejected
        self._must(not still_bad or self._waited_in_vain(), "rejected credentials were returned")

    def _waited_in_vain(self) -> bool:
        """Return whether the wait for other credentials has ended without any."""
        snapshot, now_s = self._world.cache.snapshot, self._world.now_s
        if len(snapshot.unfinished) >= UNFINISHED:
            return True
        pending = snapshot.attempt
        return pending is not None and now_s >= pending.started_s + REJECTED_WAIT_S - EPSILON_S

    def _current(self) -> int | None:
        kept = self._world.cache._snapshots.read().kept
        return None if kept is None else _number(kept.credentials)

    def _servable(self, number: int) -> bool:
        left_s = self.values[number].left_s(self._world.now, self._world.now_s)
        return left_s > NOT_RETURNED_S

    def _is_ending(self, number: int | None) -> bool:
        value = self.values[number or 0]
        left_s = value.left_s(self._world.now, self._world.now_s)
        return left_s < min(ENDING_S, ENDING_SHARE * value.life_s())


class _Watched(RefreshPolicy):
    """The default policy, which reports to the judge when credentials are obtained."""

    judge: Judge

    def keep(self, credentials: AwsCredentials, *when: Any) -> Kept:  # type: ignore[override]
        self.judge.values[_number(credentials)] = Value(credentials.expiration, *when[:2])
        return super().keep(credentials, *when)


class Simulation:
    """The environment of one credential cache. `close()` it."""

    def __init__(self) -> None:
        self.now, self.now_s = START, 1000.0
        self.luck = 0.0
        self.pid = 1
        self.threads: Threads = "available"
        self.pending: list[Request] = []  # requests without an answer
        self.scheduler = Scheduler()
        self._numbers = 0
        self._patch = pytest.MonkeyPatch()
        process = SimpleNamespace(getpid=lambda: self.pid)
        for module in (refresher, fork):
            self._patch.setattr(module, "os", process)
        self._patch.setattr(logging.getLogger("gcp_aws_bridge"), "disabled", True)
        self._patch.setattr(refresher, "Atomic", self._atomic_class())
        self._patch.setattr(RefreshAttempt, "wait", lambda *given: self._wait(*given))
        self.judge = Judge(self)
        policy = _Watched()
        policy.judge = self.judge
        world = World(self._clock, lambda: self.now_s, self._sleep, lambda: self.luck, self._spawn)
        self.cache = CredentialCache(self._fetch, label="role", policy=policy, world=world)

    def close(self) -> None:
        self.scheduler.close()
        self._patch.undo()

    def call(self, kind: str, work: Callable[[], Any]) -> Call:
        """Start a call of the cache, which has not run yet."""
        call = Call(kind)
        self.judge.call_starts(call)
        call.task = self.scheduler.start(work)
        return call

    def step(self, task: Task) -> None:
        self.scheduler.step(task)
        assert not self.judge.verdict, self.judge.verdict  # found within a task
        call = next((call for call in self.judge.calls if call.task is task), None)
        if task.done and call is not None:
            self.judge.call_ends(call)
        elif task.done and task.error is not None:
            assert isinstance(task.error, (KeyboardInterrupt, SystemExit)), task.error

    def run(self, task: Task) -> None:
        """Run *task* until it waits for something."""
        while task.ready:
            self.step(task)

    def settle(self) -> None:
        """Run all tasks until they wait for something."""
        while ready := [task for task in self.scheduler.tasks if task.ready]:
            self.run(ready[0])

    def move(self, *, wall_s: float, monotonic_s: float) -> None:
        self.judge.note_servable()
        self.now += timedelta(seconds=wall_s)
        self.now_s += monotonic_s
        self.judge.note_servable()

    def publishing(self) -> bool:
        """Return whether the cache has yet to see an answer."""
        return any(
            isinstance(known.answer, float) and not attempt.done
            for attempt, known in self.judge.attempts.items()
        )

    def fork(self) -> None:
        """Continue as the child, in which only the thread that forked exists.

        Python runs no hook: only the process id changes.
        """
        self.scheduler.abandon_all()
        self.pending = []
        self.pid += 1
        self.judge.forked()

    # What the cache uses.

    def _clock(self) -> datetime:
        self.scheduler.stop_here()
        return self.now

    def _sleep(self, seconds: float) -> None:
        until = self.now_s + seconds
        self.scheduler.stop_here(lambda: self.now_s >= until)

    def _spawn(self, work: Callable[[], None]) -> None:
        if self.threads == "available":
            self.scheduler.start(work)
            return
        if self.threads == "interrupted":
            for call in self.judge.calls:
                call.is_interrupted |= call.task is self.scheduler._current
            raise KeyboardInterrupt
        raise RuntimeError("can't start new thread")

    def _fetch(self) -> AwsCredentials:
        mine = [a for a in self.judge.attempts if a.runner == threading.get_ident() and not a.done]
        attempt = mine[-1]
        for call in self.judge.calls:
            call.makes_attempt |= call.task is self.scheduler._current
        self.judge.request_starts(attempt)
        known = self.judge.attempts[attempt]
        self.pending.append(known)
        self.scheduler.stop_here(lambda: known.answer is not None)
        if not isinstance(known.answer, float):
            assert known.answer is not None
            raise known.answer
        self._numbers += 1
        return credentials(self._numbers, self.now + timedelta(seconds=known.answer))

    def _wait(self, attempt: RefreshAttempt[Any], timeout_s: float) -> None:
        """Wait as `RefreshAttempt.wait`, while the scheduler lets other threads run."""
        woken: list[bool] = []
        until_s = self.now_s + max(0.0, timeout_s)
        attempt._when_done(lambda: woken.append(True))
        if not attempt.done:
            self.judge.waits(self.scheduler._current, attempt, until_s)
        self.scheduler.stop_here(lambda: bool(woken) or self.now_s >= until_s)

    def _atomic_class(world) -> type:
        class Watched(Atomic[Snapshot]):
            __slots__ = ()

            def replace(self, old: Snapshot, new: Snapshot) -> bool:
                world.scheduler.stop_here()  # other threads may be faster
                replaced = super().replace(old, new)
                if replaced:
                    world.judge.changed(old, new)
                return replaced

        return Watched


def _number(value: AwsCredentials) -> int:
    return int(value.access_key_id.removeprefix("ASIA"))
