"""Refreshes in the background: how many threads, and in which order."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import types
from contextvars import ContextVar
from datetime import timedelta

import pytest
from fakes import START, ManualWorld, credentials, eventually

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.events import Event, on_event
from gcp_aws_bridge._cache.workers import MOST, Workers
from gcp_aws_bridge._sts.credentials import AwsCredentials

traced: ContextVar[str] = ContextVar("traced", default="no trace")


class Tenants:
    """So many caches that go by one clock, whose refreshes are all due."""

    def __init__(self, number: int) -> None:
        self.manual = ManualWorld()
        self.peak = 0
        self.ended: list[int] = []  # the tenant of each exchange
        self.under_way: set[int] = set()
        self.hang, self.go_on = set[int](), threading.Event()
        world = World(clock=lambda: self.manual.now, monotonic=self.manual.world.monotonic)
        self.workers = Workers(world)
        self.caches = [self._cache(world, n) for n in range(number)]
        for cache in self.caches:
            cache.get()
        self.manual.advance(45 * 60)
        self.peak = 0
        self.ended.clear()

    def _cache(self, world: World, number: int) -> CredentialCache[AwsCredentials]:
        def fetch() -> AwsCredentials:
            me = threading.get_ident()
            self.under_way.add(me)
            self.peak = max(self.peak, len(self.under_way))
            if number in self.hang:
                assert self.go_on.wait(30)
            else:
                time.sleep(0.0005)  # so that others come meanwhile
            self.under_way.discard(me)
            self.ended.append(number)  # atomic
            return credentials(number, self.manual.now + timedelta(hours=1))

        cache = CredentialCache(fetch, world=world)
        cache._workers = self.workers
        return cache


def test_thousands_of_refreshes_that_are_due_share_sixteen_threads() -> None:
    tenants = Tenants(2000)
    before = threading.active_count()
    most = 0
    for cache in tenants.caches:
        cache.get()
        most = max(most, threading.active_count() - before)
    eventually(lambda: all(cache.snapshot.attempt is None for cache in tenants.caches))
    assert 2000 == len(tenants.ended)
    assert most <= MOST
    assert tenants.peak <= MOST
    eventually(lambda: threading.active_count() <= before)


def test_tenants_whose_exchange_hangs_do_not_hold_up_the_others() -> None:
    tenants = Tenants(200)
    tenants.hang = set(range(20))
    for cache in tenants.caches[:20]:
        cache.get()
    eventually(lambda: len(tenants.under_way) == MOST)
    tenants.manual.advance(3.1)  # by then they have stalled
    for cache in tenants.caches[20:]:
        cache.get()
    eventually(lambda: 180 == len(tenants.ended))
    assert len(tenants.under_way) == 20
    tenants.go_on.set()
    eventually(lambda: 200 == len(tenants.ended))


def test_refreshes_that_wait_for_a_thread_for_minutes_are_made_once_and_have_not_failed() -> None:
    tenants = Tenants(100)
    tenants.hang = set(range(100))
    events: list[Event] = []
    for cache in tenants.caches:
        cache.get()
    eventually(lambda: len(tenants.under_way) == MOST)
    queued = [cache for cache in tenants.caches if cache.snapshot.attempt.is_queued]
    stop = on_event(events.append)
    for _ in range(100):  # seconds: longer than any exchange may take
        tenants.manual.advance(1)
        for cache in queued:
            cache.get()
    tenants.go_on.set()
    eventually(lambda: all(cache.snapshot.attempt is None for cache in tenants.caches))
    stop()
    assert [*range(100)] == sorted(tenants.ended)
    assert {"exchanged"} == {event.kind for event in events}


def test_task_that_waits_for_a_queued_refresh_submits_it_once() -> None:
    manual = ManualWorld()
    manual.hold = True
    cache = CredentialCache(
        lambda: credentials(1, manual.now + timedelta(hours=1)), world=manual.world
    )

    async def caller() -> AwsCredentials:
        return await cache.get_async()

    async def tasks() -> list[AwsCredentials]:
        cache.warm_up()
        callers = [asyncio.ensure_future(caller()) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
            manual.advance(10)
            cache.snapshot.attempt.wake()
        assert 1 + len(callers) == len(cache._workers._state.get().queue)
        manual.release()
        return await asyncio.gather(*callers)

    assert 1 == len({made.access_key_id for made in asyncio.run(tasks())})


def test_what_ends_first_is_refreshed_first_and_before_it_what_a_task_waits_for() -> None:
    manual, done = ManualWorld(), []
    manual.hold = True
    workers = Workers(manual.world, most=1)
    for expires_s, waited_for in [(30.0, False), (10.0, False), (20.0, False), (40.0, True)]:
        workers.submit(
            lambda at=expires_s: done.append(at),  # type: ignore[misc]
            waited_for=waited_for,
            expires_s=expires_s,
        )
    assert 1 == len(manual.held)
    manual.release()
    assert [40.0, 10.0, 20.0, 30.0] == done


def test_a_refresh_in_the_background_belongs_to_no_callers_trace() -> None:
    manual, seen = ManualWorld(), []

    def fetch() -> AwsCredentials:
        seen.append(traced.get())
        return credentials(1, manual.now + timedelta(hours=1))

    cache = CredentialCache(fetch, world=manual.world)
    token = traced.set("the request's")
    try:
        cache.get()  # in this thread, for this caller
        manual.advance(40 * 60)
        cache.get()
    finally:
        traced.reset(token)
    assert ["the request's", "no trace"] == seen


@pytest.mark.parametrize(
    ("quiet_s", "seen_then"), [(40 * 60, "no trace"), (55 * 60, "the request's")]
)
def test_a_refresh_that_a_caller_waits_for_belongs_to_its_trace(
    quiet_s: int, seen_then: str
) -> None:
    manual, seen = ManualWorld(), []

    def fetch() -> AwsCredentials:
        seen.append(traced.get())
        return credentials(1, manual.now + timedelta(hours=1))

    cache = CredentialCache(fetch, world=manual.world)
    token = traced.set("the request's")
    try:
        cache.warm_up()  # a client is made: the exchange begins in another thread
        manual.advance(quiet_s)
        cache.get()
    finally:
        traced.reset(token)
    assert ["the request's", seen_then] == seen


def test_a_tasks_exchange_belongs_to_its_trace_but_runs_in_no_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library: ContextVar[str | None] = ContextVar("library", default=None)
    fake = types.SimpleNamespace(current_async_library_cvar=library)
    monkeypatch.setitem(sys.modules, "sniffio", fake)  # by which anyio.run tells that a loop runs
    manual, seen = ManualWorld(), []

    def fetch() -> AwsCredentials:
        seen.append((traced.get(), library.get()))
        return credentials(1, manual.now + timedelta(hours=1))

    async def task() -> None:
        traced.set("the task's")
        library.set("asyncio")
        await CredentialCache(fetch, world=manual.world).get_async()

    asyncio.run(task())
    assert [("the task's", None)] == seen


def test_where_no_thread_can_be_started_that_is_said() -> None:
    def spawn(work: object) -> None:
        raise RuntimeError("can't start new thread")

    workers = Workers(World(clock=lambda: START, spawn=spawn))
    with pytest.raises(RuntimeError, match="can't start"):
        workers.submit(lambda: None, waited_for=True, expires_s=0.0)
    assert [] == workers._state.get().queue


def test_work_that_ends_in_an_interrupt_leaves_the_rest_to_another_thread() -> None:
    manual, done = ManualWorld(), []
    manual.hold = True
    workers = Workers(manual.world, most=1)

    def interrupted() -> None:
        raise SystemExit

    workers.submit(interrupted, waited_for=True, expires_s=0.0)
    workers.submit(lambda: done.append(1), waited_for=False, expires_s=0.0)
    with pytest.raises(SystemExit):
        manual.release()
    manual.release()
    assert [1] == done
