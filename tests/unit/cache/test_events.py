"""One event for each exchange and each rejection, logged and told."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from fakes import START, Fetches, ManualWorld

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.events import Event, on_event
from gcp_aws_bridge.exceptions import ExchangeError

ARN = "arn:aws:iam::123456789012:role/etl"
DOWN = ExchangeError("STS is away.", code="ServiceUnavailable", retryable=True)


@pytest.fixture
def cache(fetches: Fetches, world: ManualWorld) -> CredentialCache:
    return CredentialCache(fetches, label=ARN, session_name="pod-7", world=world.world)


@pytest.fixture
def events() -> Iterator[list[Event]]:
    events: list[Event] = []
    stop = on_event(events.append)
    yield events
    stop()


def test_an_exchange_is_told_with_what_it_brought(
    cache: CredentialCache, events: list[Event], fetches: Fetches
) -> None:
    [first, second] = [cache.get(), cache.get()]
    assert first is second
    assert [
        Event(
            "exchanged",
            ARN,
            "pod-7",
            attempts=1,
            remaining_s=3590.0,
            expiration=first.expiration,
        )
    ] == events


def test_a_failure_is_told_once_with_all_its_attempts(
    cache: CredentialCache, events: list[Event], fetches: Fetches, world: ManualWorld
) -> None:
    fetches.failing = DOWN
    with pytest.raises(ExchangeError):
        cache.get()
    waited_s = sum(world.sleeps)
    assert [Event("failed", ARN, "pod-7", 4, waited_s, 0.0, None, DOWN, 1, 1.0)] == events


def test_background_failure_reports_the_remaining_time(
    cache: CredentialCache, events: list[Event], fetches: Fetches, world: ManualWorld
) -> None:
    end = cache.get().expiration
    world.advance(40 * 60)
    fetches.failing = DOWN
    cache.get()
    assert Event("failed", ARN, "pod-7", 1, 0.0, 1190.0, end, DOWN, 1, 1.0) == events[-1]


def test_a_fault_of_a_source_is_told_too(
    cache: CredentialCache, events: list[Event], fetches: Fetches
) -> None:
    fetches.failing = ZeroDivisionError()
    with pytest.raises(ExchangeError):
        cache.get()
    [event] = events
    assert event.error is not None
    assert ("failed", "exchange/unexpected") == (event.kind, event.error.error_id)


def test_a_rejection_is_told_before_the_exchange_it_brings(
    cache: CredentialCache, events: list[Event]
) -> None:
    assert cache.reject(cache.get().access_key_id)
    cache.get()
    assert ["exchanged", "rejected", "exchanged"] == [event.kind for event in events]


def test_an_exchange_is_one_line_at_info(
    cache: CredentialCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cache.get()
    end = START.replace(hour=START.hour + 1).isoformat()
    line = f"{ARN}: fresh until {end} (session pod-7, attempt 1, 0 ms)"
    assert [("gcp_aws_bridge", logging.INFO, line)] == caplog.record_tuples


def test_listener_that_raises_affects_no_caller(
    cache: CredentialCache, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    stop, late = on_event(broken), []
    stop_late = on_event(late.append)
    try:
        assert cache.get().access_key_id
    finally:
        stop()
        stop_late()
    assert (1, 1) == (len(events), len(late))
    assert "ZeroDivisionError" in caplog.text


def test_who_has_stopped_is_told_nothing_more(cache: CredentialCache) -> None:
    told: list[Event] = []
    stop = on_event(told.append)
    stop()
    stop()
    cache.get()
    assert [] == told


def test_each_registration_ends_for_itself(cache: CredentialCache) -> None:
    told: list[Event] = []
    first, second = on_event(told.append), on_event(told.append)
    first()
    first()
    cache.get()
    second()
    assert 1 == len(told)
