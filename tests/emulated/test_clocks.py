"""Clocks of a machine that is suspended, that are set, and that have a time zone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from botocore.credentials import ReadOnlyCredentials
from fakes import ManualWorld

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"


@pytest.fixture
def machine(pod: Emulator) -> ManualWorld:
    """Yield the machine's clocks; the clouds keep the right time."""
    machine = ManualWorld()
    pod.clock = lambda: machine.now
    registry.world = machine.world
    return machine


def test_machine_that_was_suspended_for_a_night_gets_new_credentials(
    pod: Emulator, machine: ManualWorld
) -> None:
    credentials = bridge.credentials(ROLE)
    evening = credentials.get_frozen_credentials()
    machine.set_wall_clock(machine.now + timedelta(hours=9))  # the monotonic clock stood still
    assert evening != credentials.get_frozen_credentials()
    assert 2 == len(pod.sts.requests)


def test_clock_that_is_set_back_does_not_extend_credentials(
    pod: Emulator, machine: ManualWorld
) -> None:
    credentials = bridge.credentials(ROLE)
    first = credentials.get_frozen_credentials()
    right = machine.now
    machine.set_wall_clock(right - timedelta(hours=10))
    assert first == credentials.get_frozen_credentials()
    assert 1 == len(pod.sts.requests)  # the wrong clock causes no exchange
    pod.clock = lambda: right + timedelta(hours=1)
    machine.advance(3600)
    machine.set_wall_clock(right + timedelta(hours=1))  # NTP has corrected the clock by then
    assert first != credentials.get_frozen_credentials()


@pytest.fixture
def zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no tzset on this platform")
@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
def test_change_to_summer_time_causes_no_exchange(
    pod: Emulator, machine: ManualWorld, name: str
) -> None:
    """In the hours in which clocks change, twice a year, east and west of Greenwich."""
    os.environ["TZ"] = name
    time.tzset()
    for month, day in ((3, 28), (10, 24)):
        registry.clear()
        pod.sts.requests.clear()
        machine.set_wall_clock(machine.now.replace(month=month, day=day, hour=22, minute=0))
        credentials = bridge.credentials(ROLE)
        seen: set[ReadOnlyCredentials] = set()
        for _ in range(36):
            machine.advance(600)
            seen.add(credentials.get_frozen_credentials())
        assert len(seen) == len(pod.sts.requests)
        assert 9 <= len(seen) <= 18  # in six hours: every 20 to 40 minutes
