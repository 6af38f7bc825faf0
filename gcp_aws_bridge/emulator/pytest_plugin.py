"""Fixtures: the emulator, and a test process that looks like a pod in GKE.

pytest_plugins = ["gcp_aws_bridge.emulator.pytest_plugin"]
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from . import Emulator

__all__ = ["emulator", "gke_pod"]

# Whatever would lead a client past the emulator, or change what it asks for.
_FOREIGN = re.compile(
    r"(AWS|BOTO|GOOGLE|GCE|GCP|GCLOUD|CLOUDSDK)_\w+|NO_GCE_CHECK|GCLOUD_PROJECT", re.IGNORECASE
)


@pytest.fixture(scope="session")
def _running_emulator() -> Iterator[Emulator]:
    """Serve one emulator for the whole session: starting it costs more than a test may."""
    with Emulator() as cloud:
        yield cloud


@pytest.fixture
def emulator(_running_emulator: Emulator) -> Iterator[Emulator]:
    """A GKE metadata server and an AWS STS, in the state of a fresh start.

    The servers are shared by the session's tests, their state is not. The environment is left
    alone; `gke_pod` sets it.
    """
    _running_emulator.start()  # a test may have stopped it
    _running_emulator.reset()
    yield _running_emulator
    _running_emulator.reset()


@pytest.fixture
def gke_pod(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, with the environment of a pod that sees nothing else of either cloud."""
    for name in list(os.environ):
        if _FOREIGN.fullmatch(name):
            monkeypatch.delenv(name)
    for name, value in emulator.environ.items():
        monkeypatch.setenv(name, value)
    return emulator
