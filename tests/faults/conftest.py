from __future__ import annotations

from collections.abc import Iterator

import pytest

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

from .drive import ROLE, Drive


@pytest.fixture
def pod(gke_pod: GkePod) -> Emulator:
    """Yield a pod whose service account may assume `ROLE`, without credentials of other tests."""
    gke_pod.cloud.reset()  # as strict about dates as AWS
    gke_pod.add_role(ROLE)
    return gke_pod.cloud


@pytest.fixture
def drive(pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    drive = Drive(pod)
    with drive.installed(monkeypatch):
        yield drive
