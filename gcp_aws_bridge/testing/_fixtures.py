"""The pytest plugin. Imports only pytest until a test uses a pod."""

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
    """Serve both clouds from the first pod to the end of the run, so that their ports stay."""
    from gcp_aws_bridge.testing._pod import serving

    with serving() as cloud:
        yield cloud


@pytest.fixture
def gke_pod(_pod_clouds: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[GkePod]:
    """Run the test in a pod in GKE, a `gcp_aws_bridge.testing.GkePod`. Each test has a new pod."""
    from gcp_aws_bridge.testing._gke import GkePod
    from gcp_aws_bridge.testing._pod import entered

    with entered(GkePod(_pod_clouds), partial(_put, monkeypatch)) as pod:
        yield pod


@pytest.fixture
def eks_pod(_pod_clouds: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EksPod]:
    """Run the test in a pod in EKS, a `gcp_aws_bridge.testing.EksPod`. Each test has a new pod."""
    from gcp_aws_bridge.testing._eks import EksPod
    from gcp_aws_bridge.testing._pod import entered
    from gcp_aws_bridge.testing._simulated import move_botocore

    move_botocore(monkeypatch.setattr)
    with entered(EksPod(_pod_clouds), partial(_put, monkeypatch)) as pod:
        yield pod


def _put(patch: pytest.MonkeyPatch, variables: Mapping[str, str | None]) -> None:
    """Set variables by the test's monkeypatch, so that all changes are undone in one order."""
    for name, value in variables.items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)
