"""The pytest plugin. Imports nothing but pytest until a test asks for a pod."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gcp_aws_bridge.emulator import Emulator
    from gcp_aws_bridge.testing._eks import EksPod
    from gcp_aws_bridge.testing._gke import GkePod


@pytest.fixture(scope="session")
def _pod_clouds() -> Iterator[Emulator]:
    """Serve both clouds from the first pod to the end: their ports then stay the same."""
    from gcp_aws_bridge.testing._pod import serving

    with serving() as cloud:
        yield cloud


@pytest.fixture
def gke_pod(_pod_clouds: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[GkePod]:
    """A pod in GKE, as `gcp_aws_bridge.testing.GkePod`: new for each test, gone after it."""
    from gcp_aws_bridge.testing._gke import GkePod
    from gcp_aws_bridge.testing._pod import entered

    with entered(GkePod(_pod_clouds), partial(_put, monkeypatch)) as pod:
        yield pod


@pytest.fixture
def eks_pod(_pod_clouds: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EksPod]:
    """A pod in EKS, as `gcp_aws_bridge.testing.EksPod`: new for each test, gone after it."""
    from gcp_aws_bridge.testing._eks import EksPod
    from gcp_aws_bridge.testing._pod import entered
    from gcp_aws_bridge.testing._simulated import botocore_too

    botocore_too(monkeypatch.setattr)
    with entered(EksPod(_pod_clouds), partial(_put, monkeypatch)) as pod:
        yield pod


def _put(patch: pytest.MonkeyPatch, wanted: Mapping[str, str | None]) -> None:
    """Set variables by the test's own monkeypatch: what both change is put back in one order."""
    for name, value in wanted.items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)
