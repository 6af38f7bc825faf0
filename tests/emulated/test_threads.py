"""Many callers at once: each gets one whole, valid set, and the exchanges are counted."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError
from fakes import Journey, eventually

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
THREADS = 200


def together(work: Callable[[], Any], threads: int = THREADS) -> list[Any]:
    """Return the results, or errors, of *work* in as many threads that start simultaneously."""
    barrier, outcomes = threading.Barrier(threads), []

    def run() -> None:
        barrier.wait(30)
        try:
            outcomes.append(work())
        except Exception as error:  # noqa: BLE001 - an outcome too
            outcomes.append(error)

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(30)
    assert threads == len(outcomes)
    return outcomes


def test_cold_start_makes_one_exchange(pod: Emulator) -> None:
    pod.sts.latency_s = 0.1
    credentials = bridge.credentials(ROLE)
    outcomes = together(credentials.get_frozen_credentials)
    assert [1, 1] == [len(set(outcomes)), len(pod.sts.requests)]
    assert isinstance(outcomes[0], ReadOnlyCredentials)


def test_sessions_of_all_threads_share_one_exchange(pod: Emulator) -> None:
    outcomes = together(lambda: bridge.credentials(ROLE).get_frozen_credentials(), threads=50)
    assert [1, 1, 1] == [len(set(outcomes)), len(pod.sts.requests), len(pod.metadata.requests)]


def test_refresh_makes_one_exchange_and_blocks_no_caller(pod: Emulator, journey: Journey) -> None:
    credentials = bridge.credentials(ROLE)
    old = credentials.get_frozen_credentials()
    journey.travel(minutes=40)
    pod.sts.inject(Fault.slow(0.5))
    assert {old} == set(together(credentials.get_frozen_credentials))
    eventually(lambda: credentials.get_frozen_credentials() != old)
    assert 2 == len(pod.sts.requests)
    assert 1 == len(set(together(credentials.get_frozen_credentials)))
    assert 2 == len(pod.sts.requests)


def test_callers_in_an_outage_share_one_attempt_and_its_error(
    pod: Emulator, journey: Journey
) -> None:
    credentials = bridge.credentials(ROLE)
    old = credentials.get_frozen_credentials()
    journey.travel(hours=2)
    pod.sts.inject(Fault.aws_error("ServiceUnavailable", "", 503), times=None)
    outcomes = together(credentials.get_frozen_credentials)
    assert {CredentialRetrievalError} == {type(outcome) for outcome in outcomes}
    assert 1 + 4 == len(pod.sts.requests)
    assert THREADS == len({id(outcome.__cause__) for outcome in outcomes})  # no shared traceback

    pod.sts.clear_faults()
    journey.travel(seconds=15)
    (new,) = set(together(credentials.get_frozen_credentials))
    assert new != old
    assert 1 + 4 + 1 == len(pod.sts.requests)


def test_tasks_of_an_event_loop_beside_threads(pod: Emulator) -> None:
    pod.sts.latency_s = 0.1
    credentials = bridge.credentials(ROLE)

    async def tasks() -> set[ReadOnlyCredentials]:
        asking = [asyncio.to_thread(credentials.get_frozen_credentials) for _ in range(50)]
        return set(await asyncio.gather(*asking))

    beside: list[Any] = []
    thread = threading.Thread(
        target=lambda: beside.extend(together(credentials.get_frozen_credentials, threads=50))
    )
    thread.start()
    seen = asyncio.run(tasks())
    thread.join(30)
    assert seen == set(beside)
    assert [1, 1] == [len(seen), len(pod.sts.requests)]


def test_sets_are_never_mixed_during_refreshes_and_outages(pod: Emulator, journey: Journey) -> None:
    """Readers without a pause, while time passes and STS fails now and then."""
    credentials: BridgeCredentials = bridge.credentials(ROLE)
    parts: dict[str, set[tuple[str, str | None]]] = {}
    stop = threading.Event()
    happened: queue.Queue[str] = queue.Queue()
    unsubscribe = bridge.on_event(lambda event: happened.put(event.kind))

    def read() -> None:
        while not stop.wait(0.001):
            value = credentials.get_frozen_credentials()
            parts.setdefault(value.access_key, set()).add((value.secret_key, value.token))

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    assert "exchanged" == happened.get(timeout=30)
    for turn in range(6):
        if turn % 2:
            pod.sts.inject(Fault.status(503))
        journey.travel(minutes=40)
        while happened.get(timeout=30) == "failed":
            journey.travel(seconds=2)  # the longest pause after a first failure
        eventually(lambda: len(parts) == 2 + turn)  # noqa: B023 - called before the next turn
    stop.set()
    for reader in readers:
        reader.join(30)
    unsubscribe()
    assert 1 + 6 + 3 == len(pod.sts.requests)
    assert {1} == {len(whole) for whole in parts.values()}
