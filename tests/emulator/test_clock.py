from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest

from gcp_aws_bridge.emulator import ManualClock

START = datetime(2030, 1, 1, tzinfo=timezone.utc)


def test_stands_still_until_it_is_advanced():
    clock = ManualClock(START)
    assert clock() == clock() == START
    assert clock.advance(90) == clock() == START + timedelta(seconds=90)
    assert clock.advance(timedelta(minutes=1)) == START + timedelta(seconds=150)


def test_refuses_to_go_back():
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-0.001)
    assert clock() == START


def test_starts_at_the_present_when_not_told():
    now = datetime.now(timezone.utc)
    assert abs((ManualClock()() - now).total_seconds()) < 2


def test_is_in_utc_whatever_zone_it_was_given():
    clock = ManualClock(datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock() == START
    assert clock().utcoffset() == timedelta(0)


def test_refuses_an_instant_without_a_zone():
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2030, 1, 1))  # noqa: DTZ001 - on purpose


def test_loses_no_step_between_threads():
    clock = ManualClock(START)
    threads = [
        threading.Thread(target=lambda: [clock.advance(1) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock() == START + timedelta(seconds=1600)
