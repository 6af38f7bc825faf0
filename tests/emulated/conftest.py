from __future__ import annotations

import pytest
from fakes import Journey

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"


@pytest.fixture
def pod(gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Yield a pod whose service account may assume `ROLE`, by the machine's clock."""
    gke_pod.cloud.reset()  # as strict about dates as AWS
    registry.world = REAL  # the pod restores the previous value
    monkeypatch.delenv("BOTO_CONFIG")  # tests write to the home directory
    gke_pod.add_role(ROLE)
    return gke_pod.cloud


@pytest.fixture
def journey(pod: Emulator) -> Journey:
    journey = Journey()
    pod.clock = journey
    # Time passes while the library sleeps, so that no test waits.
    registry.world = World(
        clock=journey,
        monotonic=journey.monotonic,
        sleep=lambda seconds: journey.travel(seconds=seconds),
    )
    return journey
