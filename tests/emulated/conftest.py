from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes import Journey

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cells import registry
from gcp_aws_bridge._world import REAL, World
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"


@pytest.fixture(autouse=True)
def nothing_shared_with_other_tests() -> Iterator[None]:
    registry.clear()
    registry.world = REAL
    yield
    bridge.uninstall()
    registry.clear()
    registry.world = REAL


@pytest.fixture
def pod(gke_pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A pod whose service account may assume `ROLE`."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    gke_pod.add_role(ROLE)
    return gke_pod


@pytest.fixture
def journey(pod: Emulator) -> Journey:
    journey = Journey()
    pod.clock = journey
    # Time passes while the library sleeps, and no test waits for it.
    registry.world = World(
        clock=journey,
        monotonic=journey.monotonic,
        sleep=lambda seconds: journey.travel(seconds=seconds),
    )
    return journey
