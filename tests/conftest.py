"""Isolation of all tests: no variables of a cloud, a separate home directory, only loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import shutil
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.handlers import BUILTIN_HANDLERS

from gcp_aws_bridge.emulator import Emulator

pytest_plugins = ["gcp_aws_bridge.testing", "botocore_data", "pytester", "secrecy", "suite"]

_CLOUD_PREFIXES = ("AWS_", "GOOGLE_", "GCE_", "GCP_", "CLOUDSDK_", "K_", "KUBERNETES_", "BOTO")


@pytest.fixture(scope="session", autouse=True)
def no_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Remove the settings of the machine; the home directory does not exist."""
    nowhere = tmp_path_factory.getbasetemp() / "no home"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(_CLOUD_PREFIXES) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("HOME", str(nowhere))
        patch.setenv("USERPROFILE", str(nowhere))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield nowhere


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind(no_cloud: Path) -> Iterator[None]:
    """Check that a module restores the environment and writes to no shared home directory."""
    before = dict(os.environ)
    yield
    written = no_cloud.exists()
    shutil.rmtree(no_cloud, ignore_errors=True)
    assert not written, "a test that writes to its home directory needs the fixture `home`"
    after = {name: os.environ[name] for name in os.environ if name != "PYTEST_CURRENT_TEST"}
    before.pop("PYTEST_CURRENT_TEST", None)
    assert before == after


@pytest.fixture(autouse=True)
def no_hooks_of_moto(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove moto's hook from new botocore sessions, except in tests that import moto.

    A test that ran before may have imported moto, which registers its hook for the whole process.
    """
    if "moto" in sys.modules and not any("moto" in name for name in vars(request.module)):
        before = list(BUILTIN_HANDLERS)
        BUILTIN_HANDLERS[:] = [one for one in before if "moto" not in str(type(one[1]).__module__)]
        yield
        BUILTIN_HANDLERS[:] = before
    else:
        yield


@pytest.fixture
def emulator(_pod_clouds: Emulator) -> Iterator[Emulator]:
    """The emulator in its initial state. Does not change the environment."""
    _pod_clouds.start()  # a test may have stopped it
    _pod_clouds.reset()
    yield _pod_clouds
    _pod_clouds.reset()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home directory for one test."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Raise "Network is unreachable" for connections to other machines."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            host = str(address[0])
            if not ipaddress.ip_address(host).is_loopback:
                raise OSError(101, "Network is unreachable")
        real(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """Shorten pauses of libraries: botocore's between attempts, uvicorn's when a server stops."""

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay / 20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0.05)
        with contextlib.suppress(ImportError):
            hasty = types.SimpleNamespace(**{**vars(asyncio), "sleep": sleep})
            patch.setattr("uvicorn.server.asyncio", hasty)
        yield
