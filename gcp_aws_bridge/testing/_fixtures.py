"""The pytest plugin. Imports nothing but pytest until a test asks for a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_aws_bridge.emulator import Emulator
    from gcp_aws_bridge.testing._pod import GkePod


@pytest.fixture(scope="session")
def _gke_pod_clouds() -> Iterator[Emulator]:
    """Serve both clouds from the first pod to the end: their ports then stay the same."""
    from gcp_aws_bridge.testing._pod import serving

    with serving() as cloud:
        yield cloud


@pytest.fixture
def gke_pod(_gke_pod_clouds: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[GkePod]:
    """A pod in GKE, as `gcp_aws_bridge.testing.GkePod`: new for each test, gone after it."""
    from gcp_aws_bridge.testing._isolation import pod_environment
    from gcp_aws_bridge.testing._pod import entered

    # By the test's own monkeypatch: what the two of them change is put back in one order.
    for name, value in pod_environment(_gke_pod_clouds.environ).items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    with entered(_gke_pod_clouds) as pod:
        yield pod
