from __future__ import annotations

from collections.abc import Iterator

import pytest

from gcp_aws_bridge._cells import registry
from gcp_aws_bridge._world import REAL
from gcp_aws_bridge.emulator import Emulator

from .drive import ROLE, Drive


@pytest.fixture
def pod(gke_pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pod whose service account may assume `ROLE`, and no credentials of another test's."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    gke_pod.add_role(ROLE)
    registry.clear()
    registry.world = REAL
    yield gke_pod
    registry.clear()
    registry.world = REAL


@pytest.fixture
def drive(pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    drive = Drive(pod)
    with drive.installed(monkeypatch):
        yield drive
