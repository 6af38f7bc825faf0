"""The code of the README runs as printed, each block in its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gcp_aws_bridge.emulator import Emulator

README = Path(__file__).parents[2] / "README.md"
WHO = '\nprint(session.client("sts", region_name="us-east-1").get_caller_identity()["Arn"])\n'

pytestmark = pytest.mark.skipif(not README.exists(), reason="not in a source checkout")


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("block", [0, 1], ids=["the line", "what it replaces"])
def test_both_blocks_give_the_role(pod: Emulator, block: int) -> None:
    assert "assumed-role/etl" in run(blocks()[block] + WHO)


def test_readme_line_makes_fewer_requests_than_the_code_it_replaces(pod: Emulator) -> None:
    costs = []
    for block in blocks()[:2]:
        before = len(pod.metadata.requests), len(pod.sts.requests)
        run(block + WHO)
        costs.append((len(pod.metadata.requests) - before[0], len(pod.sts.requests) - before[1]))
    assert [(1, 2), (3, 2)] == costs  # one request to STS is GetCallerIdentity
