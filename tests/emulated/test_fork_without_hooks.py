"""Workers made by C's fork(2), as uWSGI does by default: Python runs no hook."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge.emulator import Emulator

PROGRAM = Path(__file__).with_name("programs") / "raw_fork.py"

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or not hasattr(ctypes.PyDLL(None), "fork"),
    reason="no fork on this platform",
)


def run(case: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), case],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_a_child_does_not_wait_for_a_refresh_of_its_parent(pod: Emulator) -> None:
    key, waited_s = run("a_refresh_under_way")
    assert key.startswith("ASIA")
    assert waited_s < 60  # not the 90 s that a caller waits for another thread


def test_child_is_not_blocked_by_a_lock_that_a_thread_of_its_parent_held(pod: Emulator) -> None:
    key, _ = run("locks_that_are_held")
    assert key.startswith("ASIA")


def test_child_opens_its_own_connection(pod: Emulator) -> None:
    [[key, made], _] = run("a_connection")
    assert key.startswith("ASIA")
    assert 2 == made  # to the metadata server, and to STS


def test_grandchild_replaces_rejected_credentials(pod: Emulator) -> None:
    [[[is_fresh, _], _], _] = run("a_refresh_in_a_grandchild")
    assert is_fresh
    assert 2 == len(pod.sts.requests)
