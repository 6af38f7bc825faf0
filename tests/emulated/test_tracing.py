"""Tracers around the exchange: it works with them, and they are told no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gcp_aws_bridge.emulator import Emulator

PROGRAMS = Path(__file__).with_name("programs")


def test_the_aws_xray_sdk_in_foreground_background_and_tasks(pod: Emulator) -> None:
    pytest.importorskip("aws_xray_sdk")
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "xray.py")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    # The caller's own segment has the exchange in it; no other was sent.
    expected = {"refreshed": True, "segments": [1, 1], "sts": True, "seen": [], "errors": False}
    assert expected == found
