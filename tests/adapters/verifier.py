"""A service on loopback that answers requests signed with a valid key of the emulated STS."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from verifier import Verifier, verifying

from .conftest import Pod

__all__ = ["Verifier", "verifier"]


def verifier(pod: Pod, service: str, answer: Any) -> AbstractContextManager[Verifier]:
    """Run a verifier whose keys `pod.uses` reads."""
    return verifying(pod.cloud, service, answer, pod.s3.keys)
