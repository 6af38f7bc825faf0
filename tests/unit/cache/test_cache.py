"""The credential cache with a manual clock: results, refreshes and waiting callers."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from types import ModuleType

import pytest
from fakes import START, Fetches, ManualWorld, credentials, eventually, is_whole

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.policy import Memory, RefreshPolicy
from gcp_aws_bridge._cache.workers import Workers
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenError, TokenUnavailable

ROLE = "arn:aws:iam::123456789012:role/etl"


@pytest.fixture
def cache(world: ManualWorld, fetches: Fetches) -> CredentialCache:
    return CredentialCache(fetches, label=ROLE, world=world.world)


def refused() -> ExchangeError:
    return ExchangeError("STS denied it.", code="AccessDenied", error_id="exchange/denied")


def unreachable() -> ExchangeError:
    return ExchangeError("STS is away.", code="EndpointConnectionError", retryable=True)


def number(credentials: AwsCredentials | None) -> int:
    assert credentials is not None
    assert is_whole(credentials)
    return int(credentials.session_token.removeprefix("token-"))


# -- serving -----------------------------------------------------------------------------------


def test_nothing_is_fetched_before_it_is_asked_for(
    cache: CredentialCache, fetches: Fetches
) -> None:
    assert (None, 0) == (cache.peek(), fetches.count)


def test_first_caller_fetches_and_the_next_share_it(
    cache: CredentialCache, fetches: Fetches
) -> None:
    assert [1, 1, 1] == [number(cache.get()) for _ in range(3)]
    assert 1 == fetches.count


def test_refresh_goes_on_behind_the_caller_who_finds_it_due(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    world.hold = True
    world.advance(27 * 60)

    assert [1, 1, 1] == [number(cache.get()) for _ in range(3)]
    assert 1 == len(world.held)

    world.release()
    assert 2 == number(cache.get())
    assert 2 == fetches.count


def test_peek_starts_a_due_refresh_and_never_waits(
    cache: CredentialCache, world: ManualWorld
) -> None:
    cache.get()
    world.hold = True
    world.advance(30 * 60)
    assert 1 == number(cache.peek())
    assert 1 == len(world.held)
    world.advance(31 * 60)
    assert cache.peek() is None
    world.release()


def test_after_the_end_a_caller_waits_for_fresh_ones(
    cache: CredentialCache, world: ManualWorld
) -> None:
    cache.get()
    world.advance(2 * 3600)  # a laptop that was closed, a quiet night
    assert 2 == number(cache.get())


def test_a_wall_clock_that_steps_back_keeps_what_is_valid(
    cache: CredentialCache, world: ManualWorld
) -> None:
    cache.get()
    world.set_wall_clock(START - timedelta(minutes=3))
    assert 1 == number(cache.get())


# -- failing -----------------------------------------------------------------------------------


def test_failed_refresh_is_invisible_while_credentials_live(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    fetches.failing = refused()
    for _ in range(3580 - 1):
        world.advance(1)
        assert 1 == number(cache.get())


def seconds_of_attempts(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld, seconds: int
) -> list[int]:
    """When a caller who comes every second sets an attempt off."""
    tries = []
    for second in range(seconds):
        before = fetches.count
        cache.get()
        if fetches.count > before:
            tries.append(second)
        world.advance(1)
    return tries


def test_refresh_backs_off_for_as_long_as_it_fails(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    fetches.failing = unreachable()
    world.jitter = 1.0
    world.advance(55 * 60)
    tries = seconds_of_attempts(cache, fetches, world, 280)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert [2, 4, 8, 16, 32, 60, 60] == gaps[:7]


def test_refresh_takes_its_time_while_there_is_some_and_tries_often_in_the_last_minutes(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    fetches.failing = unreachable()
    world.jitter = 1.0
    world.advance(35 * 60)
    tries = seconds_of_attempts(cache, fetches, world, 1480)
    assert [0, 2, 6, 669] == tries[:4]  # three quarters of what is left before the last 600 s
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert {60} == set(gaps[-4:])


def test_background_attempt_is_not_repeated_at_once(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    fetches.failing = unreachable()
    world.advance(40 * 60)
    cache.get()
    assert (2, []) == (fetches.count, world.sleeps)


def test_recovery_is_seen_within_a_minute_when_minutes_are_left(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    fetches.failing = unreachable()
    world.jitter = 1.0
    world.advance(31 * 60)
    for _ in range(27 * 60):
        cache.get()
        world.advance(1)
    fetches.failing = None
    for _ in range(60):
        cache.get()
        world.advance(1)
    assert 1 < number(cache.get())


def test_retryable_failure_is_retried_while_a_caller_waits(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    fetches.failing = unreachable()
    with pytest.raises(ExchangeError, match="STS is away"):
        cache.get()
    assert 4 == fetches.count
    assert 3 == len(world.sleeps)
    assert all(0.2 <= pause <= 5 for pause in world.sleeps)


@pytest.mark.parametrize(
    ("exchange_s", "exchanges"),
    [(20, 4), (30, 2), (45, 1), (3600, 4)],
    ids=["two regions", "three", "many", "frozen process"],
)
def test_no_exchange_begins_that_callers_would_not_wait_for(
    world: ManualWorld, exchange_s: int, exchanges: int
) -> None:
    """Each region of STS that does not answer takes its time-outs in each exchange."""
    fetches = Fetches(world)
    fetches.failing = unreachable()

    def slow() -> AwsCredentials:
        world.advance(exchange_s)
        return fetches()

    with pytest.raises(ExchangeError, match="STS is away"):
        CredentialCache(slow, world=world.world).get()
    assert exchanges == fetches.count


def test_retry_that_succeeds_serves_the_caller(world: ManualWorld) -> None:
    fetches = Fetches(world)
    answers = iter([unreachable(), unreachable(), None])

    def flaky() -> AwsCredentials:
        fetches.failing = next(answers)
        return fetches()

    assert 3 == number(CredentialCache(flaky, world=world.world).get())


def test_denial_is_not_retried(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    fetches.failing = refused()
    with pytest.raises(ExchangeError):
        cache.get()
    assert (1, []) == (fetches.count, world.sleeps)


def test_failure_is_remembered_for_seconds(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    fetches.failing = refused()
    for _ in range(1000):
        with pytest.raises(ExchangeError, match="STS denied it"):
            cache.get()
    assert 1 == fetches.count
    world.advance(2)
    with pytest.raises(ExchangeError):
        cache.get()
    assert 2 == fetches.count


def test_a_missing_source_is_an_error_of_its_own_kind(
    cache: CredentialCache, fetches: Fetches
) -> None:
    fetches.failing = TokenUnavailable("no metadata server")
    with pytest.raises(TokenUnavailable, match="no metadata server"):
        cache.get()


def test_a_fault_in_the_exchange_reaches_the_caller_as_an_error(
    cache: CredentialCache, fetches: Fetches
) -> None:
    fetches.failing = ZeroDivisionError()
    with pytest.raises(ExchangeError, match=r"ended in ZeroDivisionError") as caught:
        cache.get()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("patcher", ["gevent", "eventlet"])
def test_ssl_that_was_patched_too_late_is_named(
    cache: CredentialCache, fetches: Fetches, monkeypatch: pytest.MonkeyPatch, patcher: str
) -> None:
    patched = type("SSLContext", (ssl.SSLContext,), {"__module__": f"{patcher}.ssl"})
    monkeypatch.setattr(ssl, "SSLContext", patched)
    fetches.failing = RecursionError()
    match = rf"{patcher} patched ssl after .* -k {patcher}, .*\[config/patched-late\]"
    with pytest.raises(ConfigError, match=match):
        cache.get()


def test_recursion_of_another_cause_is_not_blamed_on_ssl(
    cache: CredentialCache, fetches: Fetches, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patcher in ("gevent", "eventlet"):  # imported, and it patched nothing or all in time
        monkeypatch.setitem(sys.modules, patcher, ModuleType(patcher))
    fetches.failing = RecursionError()
    with pytest.raises(ExchangeError, match="ended in RecursionError"):
        cache.get()


def test_outage_is_warned_of_once_with_the_time_that_is_left(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gcp_aws_bridge")
    cache.get()
    fetches.failing = unreachable()
    world.advance(30 * 60)
    for _ in range(600):
        cache.get()
        world.advance(1)
    [record] = caplog.records
    assert logging.WARNING == record.levelno
    assert f"{ROLE}: refresh failed; current credentials valid for 1790 s" in record.getMessage()


def test_callers_do_not_share_an_exception_object(cache: CredentialCache, fetches: Fetches) -> None:
    fetches.failing = refused()
    seen = []
    for _ in range(2):
        with pytest.raises(ExchangeError) as caught:
            cache.get()
        seen.append(caught.value)
    assert seen[0] is not seen[1]
    assert [("AccessDenied", "exchange/denied")] * 2 == [(e.code, e.error_id) for e in seen]


# -- threads -----------------------------------------------------------------------------------


def test_many_who_find_nothing_share_one_exchange() -> None:
    world = ManualWorld()
    fetches = Fetches(world)
    everybody_waits = threading.Event()

    def slow() -> AwsCredentials:
        everybody_waits.wait(10)
        return fetches()

    cache = CredentialCache(slow)  # real threads
    fetches.world.now = cache._clock()
    got: list[AwsCredentials] = []
    threads = [threading.Thread(target=lambda: got.append(cache.get())) for _ in range(50)]
    for thread in threads:
        thread.start()
    everybody_waits.set()
    for thread in threads:
        thread.join(10)
    assert (50, 1) == (len(got), fetches.count)
    assert 1 == len({id(value) for value in got})


def test_a_caller_does_not_wait_for_ever(world: ManualWorld, fetches: Fetches) -> None:
    world.hold = True  # a source that never returns
    real = world.world._replace(monotonic=time.monotonic)
    cache = CredentialCache(fetches, label=ROLE, policy=RefreshPolicy(wait_s=0.01), world=real)
    with pytest.raises(ExchangeError, match="no answer within"):
        asyncio.run(cache.get_async())
    world.release()
    assert 1 == number(cache.get())


def test_a_source_that_hangs_is_given_up_and_another_attempt_is_made(
    world: ManualWorld, fetches: Fetches
) -> None:
    world.hold = True
    real = world.world._replace(monotonic=time.monotonic)
    cache = CredentialCache(fetches, label=ROLE, policy=RefreshPolicy(wait_s=0.01), world=real)
    with pytest.raises(ExchangeError, match="no answer within"):
        asyncio.run(cache.get_async())
    world.hold = False
    assert 1 == number(cache.get())
    world.release()  # the late one brings nothing that lasts longer
    assert 1 == number(cache.get())


def test_who_gives_up_early_says_after_how_long_and_the_pause_counts_from_then(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    world.advance(40 * 60)
    world.hold = True
    cache.peek()
    world.advance(3)
    cache.refresh(within_s=0)
    failure = cache.memory.failure
    assert failure is not None
    assert f"{ROLE}: no answer within 3 s." == failure.error.args[0]
    assert world.world.monotonic() + failure.pause_s == failure.retry_at_s


# -- missing threads, and interrupts ------------------------------------------------------------


def no_thread(work: object) -> None:
    raise RuntimeError("can't start new thread")


def test_valid_credentials_are_served_without_threads(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    world.advance(40 * 60)
    cache._workers = Workers(world.world._replace(spawn=no_thread))
    assert [1, 1] == [number(cache.get()), number(cache.get())]
    assert 1 == fetches.count
    cache._workers = Workers(world.world)
    world.advance(2)  # a failure like any other: it is tried again
    cache.get()
    assert 2 == number(cache.get())


def test_without_threads_who_has_nothing_does_the_work(
    cache: CredentialCache, world: ManualWorld
) -> None:
    cache._workers = Workers(world.world._replace(spawn=no_thread))
    assert 1 == number(cache.get())


@pytest.mark.parametrize(("worker", "fetched"), [(0, 0), (1, 1)], ids=["master", "worker"])
def test_a_head_start_is_left_to_uwsgis_workers(
    cache: CredentialCache,
    fetches: Fetches,
    monkeypatch: pytest.MonkeyPatch,
    worker: int,
    fetched: int,
) -> None:
    uwsgi = ModuleType("uwsgi")
    uwsgi.worker_id = lambda: worker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    cache.warm_up()
    assert fetched == fetches.count
    assert 1 == number(cache.get())


class Interrupted:
    """A world whose thread is interrupted while it starts another, while others join."""

    def __init__(self, manual: ManualWorld, *, after_it_started: bool) -> None:
        self.joined = threading.Event()
        self.manual, self.after_it_started = manual, after_it_started
        self.once = True

    def spawn(self, work: Callable[[], None]) -> None:
        if not self.once:
            threading.Thread(target=work).start()
            return
        self.once = False
        if self.after_it_started:
            threading.Thread(target=work).start()
        assert self.joined.wait(10)
        raise KeyboardInterrupt


@pytest.mark.parametrize("after_it_started", [False, True])
def test_interrupt_while_the_thread_starts_blocks_no_caller(
    world: ManualWorld, after_it_started: bool
) -> None:
    answered = threading.Event()

    def fetch() -> AwsCredentials:
        counted.append(1)
        assert answered.wait(10)
        return credentials(len(counted), START + timedelta(hours=1))

    counted: list[int] = []
    interrupted = Interrupted(world, after_it_started=after_it_started)
    cache = CredentialCache(fetch, world=world.world._replace(spawn=interrupted.spawn))
    found: list[AwsCredentials] = []
    others = [threading.Thread(target=lambda: found.append(cache.get())) for _ in range(2)]

    def join() -> None:
        eventually(lambda: cache.snapshot.attempt is not None)
        for other in others:
            other.start()
        eventually(lambda: len(getattr(cache.snapshot.attempt, "_waiters", ())) >= 1)
        interrupted.joined.set()
        answered.set()

    joining = threading.Thread(target=join)
    joining.start()
    with pytest.raises(KeyboardInterrupt):
        cache.warm_up()
    for thread in (joining, *others):
        thread.join(10)
    assert [2, 1] == [len(found), len(counted)]
    assert found[0] is found[1] is cache.get()


def test_a_source_that_needs_its_own_credentials_is_told_so(world: ManualWorld) -> None:
    def circular() -> AwsCredentials:
        return cache.get()

    cache = CredentialCache(circular, label=ROLE, world=world.world)
    with pytest.raises(ConfigError, match="uses the credentials that it helps"):
        cache.get()


def test_interrupt_in_the_exchange_blocks_no_caller(world: ManualWorld) -> None:
    def interrupted() -> AwsCredentials:
        raise KeyboardInterrupt

    cache = CredentialCache(interrupted, world=world.world)
    with pytest.raises(KeyboardInterrupt):
        cache.get()
    assert cache.snapshot.attempt is None


# -- an exchange that does not end -------------------------------------------------------------


class Stuck:
    """An exchange that ends when it is told to, in a thread of its own; time is as told."""

    def __init__(self, **policy: float) -> None:
        self.manual = ManualWorld()
        self.count = 0
        self.free = threading.Event()
        self.threads: list[threading.Thread] = []
        world = self.manual.world._replace(spawn=self._spawn, monotonic=self._monotonic)
        self.cache = CredentialCache(self._fetch, world=world, policy=RefreshPolicy(**policy))  # type: ignore[arg-type]

    def _monotonic(self) -> float:
        return self.manual.world.monotonic() + time.monotonic()

    def _spawn(self, work: Callable[[], None]) -> None:
        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()

    def _fetch(self) -> AwsCredentials:
        self.count += 1
        mine = self.count
        assert self.free.wait(30)
        return credentials(mine, self.manual.now + timedelta(hours=12))

    def valid(self) -> None:
        """Credentials of twelve hours, of which six are over, and an exchange that hangs."""
        self.free.set()
        self.cache.get()
        self.free.clear()
        self.manual.advance(8 * 3600)


def test_exchanges_that_never_end_are_few() -> None:
    stuck = Stuck()
    stuck.valid()
    for _ in range(int(3.9 * 3600) // 10):
        assert 1 == number(stuck.cache.get())
        stuck.manual.advance(10)
    assert 1 + 3 + 3.9 * 3600 / 900 == pytest.approx(stuck.count, abs=1)
    stuck.free.set()
    for thread in stuck.threads:
        thread.join(10)


def test_with_nothing_valid_there_is_one_in_a_quarter_of_an_hour() -> None:
    stuck = Stuck(wait_s=0.01)
    for _ in range(3600 // 5):
        with pytest.raises(ExchangeError):
            asyncio.run(stuck.cache.get_async())
        stuck.manual.advance(5)
    assert 3 + 3600 / 900 == pytest.approx(stuck.count, abs=1)
    stuck.free.set()
    for thread in stuck.threads:
        thread.join(10)
    assert 0 < number(stuck.cache.get())


def test_who_comes_late_waits_for_the_next_one() -> None:
    stuck = Stuck(wait_s=0.4)
    first: list[BaseException] = []

    def wait() -> None:
        try:
            asyncio.run(stuck.cache.get_async())
        except ExchangeError as error:
            first.append(error)

    early = threading.Thread(target=wait)
    early.start()
    time.sleep(0.3)  # three quarters of the time that anybody waits
    threading.Timer(0.2, stuck.free.set).start()
    assert is_whole(stuck.cache.get())
    early.join(10)
    assert ["exchange/timeout"] == [error.error_id for error in first]  # type: ignore[attr-defined]


# -- rejected ----------------------------------------------------------------------------------


def test_who_waits_for_others_in_vain_goes_on_with_what_was_rejected_soon() -> None:
    stuck = Stuck(rejected_wait_s=0.05)
    stuck.free.set()
    old = stuck.cache.get()
    stuck.free.clear()
    assert stuck.cache.reject(old.access_key_id)
    assert old is stuck.cache.get()
    assert stuck.cache.snapshot.attempt is not None  # which goes on
    stuck.free.set()
    eventually(lambda: stuck.cache.get() is not old)
    assert 2 == stuck.count


def test_a_rejection_in_an_outage_costs_one_attempt(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    key = cache.get().access_key_id
    fetches.failing = unreachable()
    cache.reject(key)
    assert 1 == number(cache.get())
    assert (2, []) == (fetches.count, world.sleeps)


def test_what_was_refused_is_replaced_within_a_minute_of_the_end_of_an_outage(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    world.jitter = 1.0
    key = cache.get().access_key_id
    fetches.failing = unreachable()
    cache.reject(key)
    for _ in range(600):
        assert 1 == number(cache.get())
        world.advance(1)
    fetches.failing = None
    for _ in range(60):
        cache.get()
        world.advance(1)
    assert 1 < number(cache.get())


# -- errors ------------------------------------------------------------------------------------


def test_a_failure_of_last_night_takes_nothing_from_todays_attempts(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    cache.get()
    world.advance(40 * 60)
    fetches.failing = unreachable()
    cache.get()
    world.advance(10 * 3600)
    fetches.count = 0
    with pytest.raises(ExchangeError):
        cache.get()
    assert 4 == fetches.count


def test_error_class_of_a_user_is_copied_completely(
    cache: CredentialCache, fetches: Fetches
) -> None:
    class VaultError(TokenError):
        def __init__(self, path: str, status: int) -> None:
            super().__init__(f"vault {path}: HTTP {status}")
            self.status = status

    key = cache.get().access_key_id
    fetches.failing = VaultError("x", 403)
    cache.reject(key)
    assert 1 == number(cache.get())
    cache.recall(Memory())
    with pytest.raises(VaultError, match="vault x: HTTP 403") as caught:
        cache.get()
    assert 403 == caught.value.status


def test_an_error_that_is_kept_keeps_no_frames(cache: CredentialCache, fetches: Fetches) -> None:
    try:
        raise ValueError("what was handled")
    except ValueError:
        fetches.failing = unreachable()
    with pytest.raises(ExchangeError):
        cache.get()
    assert cache.snapshot.failure is not None
    kept = cache.snapshot.failure.error
    assert (None, None) == (kept.__traceback__, kept.__context__)


def test_a_token_source_that_says_so_is_asked_again(
    cache: CredentialCache, fetches: Fetches, world: ManualWorld
) -> None:
    fetches.failing = TokenError("a network's fault", retryable=True)
    with pytest.raises(TokenError):
        cache.get()
    assert (4, 3) == (fetches.count, len(world.sleeps))
