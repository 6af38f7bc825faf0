"""A cell among callers, clocks, failures and forks that a test arranges, and what it is held to.

The rules are written down a second time here, from the documentation, in `Judge`: of the code
under test it reads only which set of credentials is the current one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import pytest
from fakes import START, credentials, is_whole
from properties.scheduler import Lock, Scheduler, Task

from gcp_aws_bridge import _cell, _events, _renewal
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.policy import Failure, Kept, RefreshPolicy, Rejections
from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge.exceptions import BridgeError

# What docs/explanation/refresh.md promises, in seconds and shares of a life.
NOT_GIVEN_OUT_S = 10.0
EARLIEST = 0.35
BETWEEN_FLIGHTS_S = 1.0  # after one that failed
BETWEEN_ATTEMPTS_S = 0.2  # of one flight
ATTEMPTS = 4
BETWEEN_REJECTIONS_S = 30.0
LONGEST_WAIT_S = 90.0

Landing = tuple[float, float, float]  # one that failed: when, next try, remembered until
Threads = Literal["to be had", "none left", "interrupted"]
Answer = float | BaseException  # a life in seconds, or what goes wrong


class Value(NamedTuple):
    """One set of credentials, with the instants when they came."""

    expiration: datetime
    obtained: datetime
    obtained_s: float

    def _life_s(self) -> float:
        return (self.expiration - self.obtained).total_seconds()

    def servable(self, now: datetime, now_s: float) -> bool:
        """By both clocks."""
        left_s = (self.expiration - now).total_seconds()
        left_s = min(left_s, self.obtained_s + self._life_s() - now_s)
        return left_s > NOT_GIVEN_OUT_S

    def due(self, now: datetime, now_s: float) -> bool:
        """By either clock."""
        age_s = max((now - self.obtained).total_seconds(), now_s - self.obtained_s)
        return age_s >= min(EARLIEST * self._life_s(), self._life_s() - NOT_GIVEN_OUT_S) - 1e-6


class Call:
    """One caller's call: what it may be given and what it may be spared, as time goes on."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.may_get: set[int] = set()  # were good at some instant of the call
        self.always_servable = True  # something was good at every instant
        self.never_rejected = True  # … and no service had refused it
        self.had_to_go: int | None = None  # the set that had been rejected before
        self.flies_itself = False  # no thread was to be had: the caller did the work
        self.task: Task | None = None


class Judge:
    """Raises `AssertionError` at the first thing that must never happen."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self.values: dict[int, Value] = {}
        self.flights: list[Any] = []
        self.calls: list[Call] = []
        self.errors: list[BaseException] = []
        self.failure: Landing | None = None
        self.rejected: int | None = None
        self._newest: int | None = None
        self._before: tuple[Landing | None, int | None] = (None, None)
        self._refused: set[int] = set()  # by a service, ever
        self._believed_s = float("-inf")
        self._late_landing = False
        self.verdict = ""

    def _must(self, holds: bool, otherwise: str) -> None:
        """Raise where that reaches the test; from within a task, the next step does."""
        if not holds:
            self.verdict = self.verdict or otherwise
            raise AssertionError(otherwise)

    # What happens.

    def call_starts(self, call: Call) -> None:
        self.calls.append(call)
        call.had_to_go = self.rejected
        call.never_rejected = self._current() not in self._refused
        self.take_note()

    def take_note(self) -> None:
        """Note for every call what may be given out now."""
        number = self._current()
        good = number is not None and self._servable(number)
        good_ones = {n for n in (number, self._newest) if n is not None and self._servable(n)}
        for call in self.calls:
            call.always_servable &= good
            call.may_get |= good_ones

    def flight_starts(self, flight: Any) -> None:
        alive = [other for other in self.flights if not (other.done() or self.is_lost(other))]
        self._must(not alive, "two exchanges are in flight")
        self.flights.append(flight)
        if self._late_landing:
            return
        now, now_s = self._world.now, self._world.now_s
        number = self._current()
        good = number is not None and self._servable(number) and self.rejected is None
        if self.failure is not None:
            failed_s, next_s, _ = self.failure
            self._must(now_s >= failed_s + BETWEEN_FLIGHTS_S - 1e-6, "asked again too soon")
            self._must(not good or now_s >= next_s, "did not back off")
        elif number is not None and number not in self._refused:
            self._must(self.values[number].due(now, now_s), "renewed without need")

    def attempt_starts(self, flight: Any) -> None:
        now_s = self._world.now_s
        flight.attempts_seen += 1
        if flight.attempts_seen > 1:
            self._must(flight.attempts_seen <= ATTEMPTS, "too many attempts")
            self._must(now_s >= flight.last_attempt_s + BETWEEN_ATTEMPTS_S - 1e-6, "no pause")
            self._must(isinstance(flight.answer, BridgeError), "tried a refusal again")
            self._must(flight.answer.retryable, "tried a refusal again")
        flight.last_attempt_s, flight.answer = now_s, None

    def kept(self, given: AwsCredentials, obtained: datetime, obtained_s: float) -> None:
        number = _number(given)
        self.values[number] = Value(given.expiration, obtained, obtained_s)
        self._landed()
        self._newest = number
        self._before = (self.failure, self.rejected)
        self.failure, self.rejected = None, None
        self.take_note()

    def failed(self, failure: Failure) -> None:
        self._landed()
        self._before = (self.failure, self.rejected)
        self.failure = (self._world.now_s, failure.retry_at_s, failure.remembered_until_s)
        self.rejected = None

    def believed(self, now_s: float) -> None:
        self._must(now_s >= self._believed_s + BETWEEN_REJECTIONS_S - 1e-6, "believed too often")
        self._must(self.failure is None or now_s >= self.failure[2], "believed too soon")
        self._believed_s = now_s
        self.rejected = self._current()
        self._refused |= {self.rejected or 0}
        for call in self.calls:
            call.never_rejected = False

    def is_lost(self, flight: Any) -> bool:
        """Whether another may start beside it: nobody waits, or would wait so long."""
        return flight.given_up or self._world.now_s >= flight.began_s + LONGEST_WAIT_S

    def stops_waiting(self, flight: Any) -> None:
        """A caller does. With what was rejected there is something to go on with, soon."""
        if self._world.now_s >= flight.began_s + LONGEST_WAIT_S:
            self.gives_up(flight)
        else:
            self._must(self._current() in self._refused, "did not wait long enough")
            self.rejected = None

    def gives_up(self, flight: Any) -> None:
        """Nobody waits for it any more: what was rejected is all there is."""
        flight.given_up = True
        self.rejected = None

    def waits(self, task: Task | None) -> None:
        for call in self.calls:
            if call.task is task:
                self._must(call.kind == "get", f"{call.kind} waited")
                spared = call.always_servable and call.never_rejected
                self._must(not spared, "a caller waited though something was valid")

    def forked(self) -> None:
        """The child has what is kept, and neither threads nor flights."""
        self.calls, self.flights = [], []
        if self._newest != self._current():
            # What the parent's flight brought was on its way to be kept; it is not in the child.
            self.failure, self.rejected = self._before
            self._newest = None
        failure = self._world.cell.snapshot.failure
        if self.failure is not None and (failure is None or failure.retry_at_s != self.failure[1]):
            self.failure = self._before[0]  # the parent's was on its way to be noted

    # What a call came to.

    def call_ends(self, call: Call) -> None:
        assert call.task is not None
        self.take_note()
        self.calls.remove(call)
        error, value = call.task.error, call.task.value
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._must(call.flies_itself, "an interrupt that was not this caller's")
        elif error is not None:
            self._must(isinstance(error, BridgeError), f"{error!r} got out")
            self._must("get" == call.kind, f"{call.kind} raised")
            self._must(not call.always_servable, "an error though something was valid")
            self._must(error not in self.errors, "two callers share an error")
            self.errors.append(error)
        elif isinstance(value, AwsCredentials):
            self._may_be_given(call, value)
        else:
            self._must("get" != call.kind, "get gave nothing")

    def _may_be_given(self, call: Call, value: AwsCredentials) -> None:
        number = _number(value)
        assert is_whole(value)
        self._must(number in call.may_get, "expired credentials were given out")
        still_bad = number == call.had_to_go == self.rejected
        self._must(not still_bad, "rejected credentials were given out, untried others")

    def _current(self) -> int | None:
        kept = self._world.cell.snapshot.kept
        return None if kept is None else _number(kept.credentials)

    def _servable(self, number: int) -> bool:
        return self.values[number].servable(self._world.now, self._world.now_s)

    def _landed(self) -> None:
        """Until the next, what a flight that was given up brings late leaves all open."""
        mine = [flight for flight in self.flights if flight.runner == threading.get_ident()]
        landing = mine[-1] if mine else None  # a thread's number is used again
        self._late_landing = landing is None or self.is_lost(landing)


class _Watched(RefreshPolicy):
    """The policy as it is, telling the judge what the cell decides by it."""

    judge: Judge

    def keep(self, credentials: AwsCredentials, *when: Any) -> Kept:
        self.judge.kept(credentials, *when[:2])
        return super().keep(credentials, *when)

    def fail(self, *seen: Any, **left: Any) -> Failure:
        failure = super().fail(*seen, **left)
        self.judge.failed(failure)
        return failure

    def reject(self, previous: Rejections, now_s: float, jitter: float) -> Rejections:
        self.judge.believed(now_s)
        return super().reject(previous, now_s, jitter)


class Simulation:
    """The world of one cell. `close()` it."""

    def __init__(self) -> None:
        self.now, self.now_s = START, 1000.0
        self.luck = 0.0
        self.threads: Threads = "to be had"
        self.asking: list[Any] = []  # flights with a request that is not answered
        self.scheduler = Scheduler()
        self._numbers = 0
        self._patch = pytest.MonkeyPatch()
        lock = SimpleNamespace(Lock=lambda: Lock(self.scheduler), get_ident=threading.get_ident)
        for module in (_cell, _renewal):
            self._patch.setattr(module, "threading", lock)
        self._patch.setattr(_events._log, "disabled", True)
        self._patch.setattr(_renewal, "Flight", self._flight_class())
        self.judge = Judge(self)
        policy = _Watched()
        policy.judge = self.judge
        world = World(self._clock, lambda: self.now_s, self._sleep, lambda: self.luck, self._spawn)
        self.cell = _cell.CredentialCache(self._fetch, label="role", policy=policy, world=world)

    def close(self) -> None:
        self.scheduler.close()
        self._patch.undo()

    def call(self, kind: str, work: Callable[[], Any]) -> Call:
        """Somebody calls the cell; they have not got anywhere yet."""
        call = Call(kind)
        self.judge.call_starts(call)
        call.task = self.scheduler.start(work)
        return call

    def step(self, task: Task) -> None:
        self.scheduler.step(task)
        assert not self.judge.verdict, self.judge.verdict  # said within the task
        call = next((call for call in self.judge.calls if call.task is task), None)
        if task.done and call is not None:
            self.judge.call_ends(call)
        elif task.done and task.error is not None:
            assert isinstance(task.error, (KeyboardInterrupt, SystemExit)), task.error

    def run(self, task: Task) -> None:
        """To where it waits for something."""
        while task.ready:
            self.step(task)

    def settle(self) -> None:
        """Everybody runs to where they wait for something."""
        while ready := [task for task in self.scheduler.tasks if task.ready]:
            self.run(ready[0])

    def move(self, *, wall_s: float, monotonic_s: float) -> None:
        self.judge.take_note()
        self.now += timedelta(seconds=wall_s)
        self.now_s += monotonic_s
        self.judge.take_note()

    def publishing(self) -> bool:
        """Whether credentials have been answered that the cell has not seen yet."""
        return any(
            isinstance(flight.answer, float) and not flight.done() for flight in self.judge.flights
        )

    def fork(self) -> None:
        """Go on as the child, where of all threads only the one that forked is alive."""
        self.scheduler.abandon_all()
        self.asking = []
        self.judge.forked()
        self.cell.after_fork_in_child()

    # The world as the cell sees it.

    def _clock(self) -> datetime:
        self.scheduler.stop_here()
        return self.now

    def _sleep(self, seconds: float) -> None:
        until = self.now_s + seconds
        self.scheduler.stop_here(lambda: self.now_s >= until)

    def _spawn(self, work: Callable[[], None]) -> None:
        if self.threads == "to be had":
            self.scheduler.start(work)
            return
        for call in self.judge.calls:
            call.flies_itself |= call.task is self.scheduler._current
        if self.threads == "interrupted":
            self.judge.gives_up(self.judge.flights[-1])
            raise KeyboardInterrupt
        raise RuntimeError("can't start new thread")

    def _fetch(self) -> AwsCredentials:
        flight = next(f for f in reversed(self.judge.flights) if f.runner == threading.get_ident())
        self.judge.attempt_starts(flight)
        self.asking.append(flight)
        self.scheduler.stop_here(lambda: flight.answer is not None)
        if not isinstance(flight.answer, float):
            raise flight.answer
        self._numbers += 1
        return credentials(self._numbers, self.now + timedelta(seconds=flight.answer))

    def _flight_class(world) -> type:
        class Flight(_renewal.Flight):
            def __init__(self, label: str, started_s: float) -> None:
                super().__init__(label, started_s)
                self.began_s = world.now_s
                self.given_up = False  # nobody waits for it any more
                self.attempts_seen, self.last_attempt_s = 0, 0.0
                self.answer: Answer | None = None  # to its last request
                world.judge.flight_starts(self)

            def result(self, timeout: float | None = None) -> AwsCredentials:
                until = world.now_s + (float("inf") if timeout is None else timeout)
                if not self.done():
                    world.judge.waits(world.scheduler._current)
                world.scheduler.stop_here(lambda: self.done() or world.now_s >= until)
                if not self.done():
                    world.judge.stops_waiting(self)
                    raise FutureTimeout
                return super().result(0)

        return Flight


def _number(value: AwsCredentials) -> int:
    return int(value.access_key_id.removeprefix("ASIA"))
