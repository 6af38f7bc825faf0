"""Events in any order: no expired credentials, one exchange at a time, every caller returns.

Hypothesis generates the histories: callers that stop between any two steps, clocks that jump, all
kinds of answers, interrupts, threads that cannot be started, forks. `Judge` has the rules.

The bound on requests: after a failed attempt, the next one starts 1 s later at the earliest, and
while valid credentials exist after the back-off; after a successful one, when 35 % of the lifetime
have passed by either clock, or when a service rejected the credentials (once in 30 s at most). An
attempt makes one request, or up to four, 0.2 s apart, only while a caller has nothing valid. A
caller that has waited for 3 s makes one more attempt, three at most beside the first.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from properties.simulation import LONGEST_WAIT_S, REJECTED_WAIT_S, Answer, Simulation, Threads

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ExchangeError, TokenUnavailable

_CALLERS = 5
_PICK = st.integers(0, 7)
_SECONDS = st.sampled_from([0.1, 1.0, 2.0, 5.0, 61.0, 91.0, 1700.0, 3000.0, 3592.0, 40_000.0])
# `_exchange` returns no credentials that expire within the minute; roles allow up to twelve hours.
_LIVES = st.sampled_from([61.0, 900.0, 3600.0, 43_200.0])


def _trouble() -> st.SearchStrategy[BaseException]:
    return st.sampled_from(
        [
            lambda: ExchangeError("away", code="EndpointConnectionError", retryable=True),
            lambda: ExchangeError("no", code="AccessDenied"),
            lambda: TokenUnavailable("nothing there"),
            lambda: KeyError("a fault of ours"),
            lambda: KeyboardInterrupt(),
            lambda: SystemExit(3),
        ]
    ).map(lambda make: make())


class CacheMachine(RuleBasedStateMachine):
    """Rules are the possible events; the end of a history checks that every caller returns."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Simulation()

    @initialize(age_s=st.sampled_from([None, 0.0, 1700.0, 1700.0, 2400.0, 3592.0]))
    def history_begins(self, age_s: float | None) -> None:
        """Start without credentials, or with credentials of one hour at that age."""
        if age_s is not None:
            self._the_next_caller_is_served()
            self.world.move(wall_s=age_s, monotonic_s=age_s)

    # Callers.

    def _has_room(self) -> bool:
        return len(self.world.judge.calls) < _CALLERS

    @precondition(_has_room)
    @rule(kind=st.sampled_from(["get", "get", "get", "peek", "warm_up"]), at_once=st.booleans())
    def call(self, kind: str, at_once: bool) -> None:
        call = self.world.call(kind, getattr(self.world.cache, kind))
        if at_once and call.task is not None:
            self.world.run(call.task)

    @precondition(_has_room)
    @rule(steps=st.integers(1, 4))
    def callers_start_together(self, steps: int) -> None:
        """Start as many callers as possible and stop all at the same step."""
        for _ in range(_CALLERS - len(self.world.judge.calls)):
            task = self.world.call("get", self.world.cache.get).task
            for _ in range(steps):
                if task is not None and task.ready:
                    self.world.step(task)

    @precondition(_has_room)
    @rule(number=_PICK, current=st.booleans())
    def reject(self, number: int, current: bool) -> None:
        kept = self.world.cache.snapshot.kept
        key = f"ASIA{number:016d}"
        if current and kept is not None:
            key = kept.credentials.access_key_id
        self.world.call("reject", lambda: self.world.cache.reject(key))

    @precondition(lambda self: any(task.ready for task in self.world.scheduler.tasks))
    @rule(pick=_PICK, steps=st.sampled_from([1, 1, 2, 3, 100]))
    def task_continues(self, pick: int, steps: int) -> None:
        ready = [task for task in self.world.scheduler.tasks if task.ready]
        task = ready[pick % len(ready)]
        for _ in range(steps):
            if task.ready:
                self.world.step(task)

    @rule()
    def all_tasks_continue(self) -> None:
        self.world.settle()

    # Answers.

    @precondition(lambda self: self.world.pending)
    @rule(pick=_PICK, answer=_LIVES | _trouble(), at_once=st.booleans())
    def answer(self, pick: int, answer: Answer, at_once: bool) -> None:
        pending = self.world.pending
        pending.pop(pick % len(pending)).answer = answer
        if at_once:
            self.world.settle()

    # The machine's own state. For a process that sleeps most of a lifetime between an answer and
    # its storage (microseconds), see test_cache_stories.py.

    def _time_may_jump(self) -> bool:
        return not self.world.publishing()

    @precondition(_time_may_jump)
    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.world.move(wall_s=seconds, monotonic_s=seconds)

    @precondition(_time_may_jump)
    @rule(seconds=_SECONDS)
    def machine_sleeps_or_is_set_ahead(self, seconds: float) -> None:
        self.world.move(wall_s=seconds, monotonic_s=0)

    @precondition(_time_may_jump)
    @rule(seconds=_SECONDS)
    def clock_is_set_back(self, seconds: float) -> None:
        self.world.move(wall_s=-seconds, monotonic_s=0)

    @precondition(_time_may_jump)
    @rule(seconds=_SECONDS)
    def only_the_monotonic_clock_goes_on(self, seconds: float) -> None:
        self.world.move(wall_s=0, monotonic_s=seconds)

    @rule(luck=st.sampled_from([0.0, 0.5, 0.999]))
    def jitter_changes(self, luck: float) -> None:
        self.world.luck = luck

    @rule(threads=st.sampled_from(["available", "available", "none left", "interrupted"]))
    def threads_change(self, threads: Threads) -> None:
        self.world.threads = threads

    @rule()
    def process_forks(self) -> None:
        self.world.fork()

    # The end of every history.

    def teardown(self) -> None:
        try:
            self._every_caller_returns()
            self._every_attempt_ends()
            self._the_next_caller_is_served()
        finally:
            self.world.close()

    def _every_caller_returns(self) -> None:
        """Without any answer, a caller waits for one attempt at most."""
        world = self.world
        world.threads = "available"
        for wait_s in (
            0.0,
            REJECTED_WAIT_S,
            LONGEST_WAIT_S,
        ):  # the short wait may precede the long one
            world.move(wall_s=wait_s, monotonic_s=wait_s)
            world.settle()
        waiting = [call.kind for call in world.judge.calls if not call.makes_attempt]
        assert [] == waiting, "lost waiters"

    def _every_attempt_ends(self) -> None:
        world = self.world
        while world.pending or world.scheduler.tasks:
            self._all_are_answered()
            world.move(wall_s=5, monotonic_s=5)
            world.settle()
        assert all(attempt.done for attempt in world.judge.attempts)

    def _the_next_caller_is_served(self) -> None:
        world = self.world
        world.move(wall_s=2, monotonic_s=2)  # the time for which a failure is kept
        call = world.call("get", world.cache.get)
        world.settle()
        self._all_are_answered()
        world.settle()
        assert call.task is not None
        assert isinstance(call.task.value, AwsCredentials)

    def _all_are_answered(self) -> None:
        for request in self.world.pending:
            request.answer = 3600.0
        self.world.pending = []


TestCache = CacheMachine.TestCase
