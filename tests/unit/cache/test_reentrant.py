"""Finalizers and signal handlers that sign, at any point of the cache's own code."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from fakes import Fetches, ManualWorld, is_whole

import gcp_aws_bridge._cache as package
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.events import on_event
from gcp_aws_bridge._cache.fork import PerProcess, process_lock
from gcp_aws_bridge._cache.policy import RefreshPolicy
from gcp_aws_bridge._cache.recently_used import RecentlyUsed
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ConfigError

FOLDER = package.__path__[0]


class Machine:
    """A cache by a clock that stands still, in the state that a test is about."""

    def __init__(self, minutes: float | None) -> None:
        self.world = ManualWorld()
        self.fetches = Fetches(self.world)
        # A caller that interrupts its own thread before that has started a refresh waits for it.
        world = self.world.world._replace(monotonic=self._monotonic)
        policy = RefreshPolicy(ending_wait_s=0.01, rejected_wait_s=0.01)
        self.cache = CredentialCache(self.fetches, policy=policy, world=world)
        self.interrupts: list[AwsCredentials | None] = []
        if minutes is not None:
            self.cache.get()
            self.world.advance(60 * minutes)

    def _monotonic(self) -> float:
        return self.world.world.monotonic() + time.monotonic()

    def interrupt(self) -> None:
        self.interrupts.append(self.cache.get())


def interrupted_at(opcode: int, work: Callable[[], Any], interrupt: Callable[[], Any]) -> bool:
    """Run *work*, and *interrupt* before the n-th bytecode of the cache that it executes.

    Returns whether it executed as many.
    """
    executed = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal executed
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            executed += 1
            if executed == opcode:
                sys.settrace(None)
                interrupt()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return executed >= opcode


CASES: dict[str, tuple[float | None, Callable[[Machine], Any]]] = {
    "first credentials": (None, lambda machine: machine.cache.get()),
    "a refresh that is due": (40, lambda machine: machine.cache.get()),
    "near the end": (55, lambda machine: machine.cache.get()),
    "expired": (61, lambda machine: machine.cache.get()),
    "rejected": (1, lambda machine: machine.cache.reject("ASIA0000000000000001")),
    "a head start": (None, lambda machine: machine.cache.warm_up()),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("case", CASES)
def test_a_signal_handler_at_each_bytecode_gets_credentials(case: str) -> None:
    minutes, work = CASES[case]
    opcode = 0
    while True:
        opcode += 1
        machine = Machine(minutes)
        result: list[Any] = []
        before = machine.fetches.count
        reached = interrupted_at(opcode, lambda: result.append(work(machine)), machine.interrupt)  # noqa: B023
        if not reached:
            break
        for value in (*machine.interrupts, *result):
            if isinstance(value, AwsCredentials):
                assert is_whole(value)
                assert value.expiration > machine.world.now
        assert machine.fetches.count - before <= 2
        assert machine.cache.snapshot.attempt is None
        assert () == machine.cache.snapshot.unfinished
        assert is_whole(machine.cache.get())
    assert opcode > 20


def test_a_handler_at_each_bytecode_of_what_is_shared() -> None:
    """The registry, the listeners and the locks: what it does there is not undone."""
    opcode = 0
    while True:
        opcode += 1
        values: RecentlyUsed[str] = RecentlyUsed(3)
        for name in "abc":
            values.get_or_make(name, lambda name=name: name)  # type: ignore[misc]
        told: list[object] = []
        lock = process_lock()
        stops = []

        def interrupt() -> None:
            values.get_or_make("d", lambda: "d")  # noqa: B023
            stops.append(on_event(told.append))  # noqa: B023
            with lock.get():  # noqa: B023
                values.get_or_make("e", lambda: "e")  # noqa: B023

        def work() -> None:
            stops.append(on_event(told.append))  # noqa: B023
            with lock.get():  # noqa: B023
                assert "f" == values.get_or_make("f", lambda: "f")  # noqa: B023
            assert "a" == values.get_or_make("a", lambda: "a")  # noqa: B023

        reached = interrupted_at(opcode, work, interrupt)
        assert len(values.values()) <= 3
        assert (1 + reached) == len(stops)
        assert is_free(lock)
        for stop in stops:
            stop()
        if not reached:
            break
    assert opcode > 20


def test_an_interrupt_at_any_bytecode_of_taking_the_lock_leaves_it_to_other_threads() -> None:
    opcode, is_reached = 0, True

    def interrupt() -> None:
        raise KeyboardInterrupt

    while is_reached:
        opcode += 1
        lock = process_lock()

        def work() -> None:
            with lock.get():  # noqa: B023
                len("what the lock protects")

        with contextlib.suppress(KeyboardInterrupt):
            is_reached = interrupted_at(opcode, work, interrupt)
        assert is_free(lock), opcode
    assert opcode > 10


def is_free(lock: PerProcess[Any]) -> bool:
    taken: list[bool] = []

    def take() -> None:
        if lock.get().acquire(timeout=1):
            taken.append(True)
            lock.get().release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    return bool(taken)


class Upload:
    """A file that was not closed: it is written when the garbage collector finds it."""

    def __init__(self, machine: Machine) -> None:
        self.me = self
        self.machine = machine

    def __del__(self) -> None:
        self.machine.interrupt()


@pytest.mark.parametrize("minutes", [None, 40, 61], ids=["first", "due", "expired"])
def test_a_finalizer_gets_credentials_whenever_the_garbage_collector_runs(
    minutes: float | None,
) -> None:
    before, interrupts = gc.get_threshold(), 0
    gc.disable()
    # Objects that exist already stay exempt from collection: suite.py has frozen them, too.
    gc.freeze()
    try:
        for threshold in range(1, 301):
            machine = Machine(minutes)
            Upload(machine)
            gc.set_threshold(threshold)
            gc.enable()
            assert is_whole(machine.cache.get())
            gc.disable()
            assert all(value and is_whole(value) for value in machine.interrupts)
            interrupts += len(machine.interrupts)
            assert machine.fetches.count <= 3
            gc.collect()
    finally:
        gc.set_threshold(*before)
        gc.enable()
    assert interrupts > 0


def test_an_interrupt_within_the_exchange_makes_one_of_its_own() -> None:
    machine = Machine(None)
    fetch = machine.cache._fetch

    def interrupted() -> AwsCredentials:
        if machine.fetches.count == 0:
            machine.cache._fetch = fetch
            machine.interrupt()
        return fetch()

    machine.cache._fetch = interrupted
    assert is_whole(machine.cache.get())
    assert 2 == machine.fetches.count
    assert [1] == [int(value.access_key_id[4:]) for value in machine.interrupts if value]


def test_a_source_that_uses_its_own_credentials_is_asked_twice_and_no_more() -> None:
    calls = 0

    def circular() -> AwsCredentials:
        nonlocal calls
        calls += 1
        return cache.get()

    cache = CredentialCache(circular, world=ManualWorld().world)
    with pytest.raises(ConfigError, match="config/circular"):
        cache.get()
    assert 2 == calls


# -- a caller that blocks the thread which it waits for ------------------------------------------


def test_a_caller_makes_an_attempt_of_its_own_beside_one_that_needs_its_lock() -> None:
    """A logging handler's lock, or that of a module which is being imported."""
    held, world = threading.RLock(), ManualWorld()
    fetches = Fetches(world)
    asked = threading.Event()

    def fetch() -> AwsCredentials:
        asked.set()
        with held:
            return fetches()

    cache = CredentialCache(fetch, policy=RefreshPolicy(stalled_s=0.05))  # real threads, real time
    world.now = cache._clock()
    with held:
        assert not cache.warm_up()
        assert asked.wait(10)
        assert is_whole(cache.get())
        assert 1 == fetches.count


def test_a_listener_is_called_after_all_waiters_were_woken() -> None:
    """It may need what a waiter holds."""
    held, world = threading.Lock(), ManualWorld()
    fetches, may_go_on, told = Fetches(world), threading.Event(), []

    def fetch() -> AwsCredentials:
        assert may_go_on.wait(10)
        return fetches()

    def listener(event: object) -> None:
        with held:
            told.append(event)

    cache = CredentialCache(fetch)
    world.now = cache._clock()
    stop = on_event(listener)
    try:
        with held:
            cache.warm_up()
            may_go_on.set()
            assert is_whole(cache.get())
            assert [] == told
    finally:
        stop()
