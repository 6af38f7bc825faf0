"""`Cache.get_async`: tasks wait as threads do, for the same attempt, and block no event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from fakes import credentials, turns

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge._cache.policy import RefreshPolicy
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError


class Gate:
    """An exchange that ends when it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.asked = threading.Event()
        self.open = threading.Event()
        self.failing: BridgeError | None = None

    def __call__(self) -> AwsCredentials:
        self.count += 1
        self.asked.set()
        assert self.open.wait(30)
        if self.failing is not None:
            raise self.failing
        return credentials(self.count, utc_now() + timedelta(hours=1))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def cache(gate: Gate) -> CredentialCache:
    # A thread that takes over on a busy machine would make a second exchange.
    return CredentialCache(gate, policy=RefreshPolicy(stalled_s=60.0))


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """In a loop of its own; what the loop is told of lost errors is an error."""
    told: list[dict[str, Any]] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))
        return await main()

    result = asyncio.run(watched())
    gc.collect()  # a collected future reports an unhandled error
    assert [] == told
    return result


def test_tasks_and_threads_share_one_attempt(cache: CredentialCache, gate: Gate) -> None:
    beside: list[AwsCredentials] = []
    thread = threading.Thread(target=lambda: beside.append(cache.get()))

    async def main() -> list[AwsCredentials]:
        tasks = [asyncio.ensure_future(cache.get_async()) for _ in range(200)]
        thread.start()
        await turns(gate.asked.is_set)
        assert not any(task.done() for task in tasks)
        gate.open.set()
        return await asyncio.gather(*tasks)

    found = run(main)
    thread.join(30)
    assert (1, {*beside}) == (gate.count, {*found})


def test_what_is_valid_is_given_without_a_turn_of_the_loop(
    cache: CredentialCache, gate: Gate
) -> None:
    gate.open.set()
    expected = cache.get()
    waiting = cache.get_async()
    with pytest.raises(StopIteration) as caught:
        waiting.send(None)
    assert expected is caught.value.value


def test_cancelled_task_cancels_no_other_caller(cache: CredentialCache, gate: Gate) -> None:
    async def main() -> AwsCredentials:
        one, other = (asyncio.ensure_future(cache.get_async()) for _ in range(2))
        await turns(gate.asked.is_set)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        gate.open.set()
        return await other

    assert run(main) == cache.get()
    assert 1 == gate.count


def test_each_task_has_the_error_as_its_own(cache: CredentialCache, gate: Gate) -> None:
    gate.failing = ExchangeError("no", code="AccessDenied")
    gate.open.set()

    async def main() -> list[Any]:
        asking = (cache.get_async() for _ in range(20))
        return await asyncio.gather(*asking, return_exceptions=True)

    errors = run(main)
    assert ({ExchangeError}, {"no"}) == ({*map(type, errors)}, {str(error) for error in errors})
    assert 20 == len({id(error) for error in errors})


def test_loop_closed_before_the_attempt_ends_is_ignored(cache: CredentialCache, gate: Gate) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(cache.get_async(), 0.01)

    run(main)
    gate.open.set()
    assert 1 == int(cache.get().access_key_id[4:])


def test_several_loops_wait_for_one_attempt(cache: CredentialCache, gate: Gate) -> None:
    found: list[AwsCredentials] = []
    threads = [
        threading.Thread(target=lambda: found.append(asyncio.run(cache.get_async())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert gate.asked.wait(30)
    gate.open.set()
    for thread in threads:
        thread.join(30)
    assert (4, 1, 1) == (len(found), len({*found}), gate.count)


def test_a_task_does_not_wait_for_ever(gate: Gate) -> None:
    cache = CredentialCache(gate, policy=RefreshPolicy(wait_s=0.05))

    async def main() -> None:
        with pytest.raises(ExchangeError, match="no answer within"):
            await cache.get_async()

    run(main)
    gate.open.set()


@pytest.mark.parametrize("turn", range(4))
def test_cancellation_at_the_end_of_the_attempt_is_not_lost(
    cache: CredentialCache, gate: Gate, turn: int
) -> None:
    """Python 3.10 and 3.11: `asyncio.wait_for` would swallow it."""

    async def main() -> None:
        task = asyncio.create_task(cache.get_async())
        await turns(gate.asked.is_set)
        attempt = cache.snapshot.attempt
        gate.open.set()
        attempt.wait(30)  # and the loop stands still: it has not heard of it yet
        assert attempt.done
        for _ in range(turn):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)


def test_a_source_that_awaits_its_own_credentials_is_told_so_at_once() -> None:
    def circular() -> AwsCredentials:
        return asyncio.run(cache.get_async())

    cache = CredentialCache(circular, policy=RefreshPolicy(wait_s=30.0))
    with pytest.raises(BridgeError, match=r"config/circular"):
        run(cache.get_async)
