"""The command line frozen with PyInstaller: each command is in it, and one makes an exchange."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gcp_aws_bridge.cli import _COMMANDS
from gcp_aws_bridge.testing import GkePod

pytest.importorskip("PyInstaller")
pytestmark = pytest.mark.timeout(600)  # freezing reads every module of botocore

ROLE = "arn:aws:iam::123456789012:role/etl"
PROGRAM = "import sys\nfrom gcp_aws_bridge.cli import main\nsys.exit(main())\n"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the frozen command line. PyInstaller gets no hook of this project."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "bridge.py").write_text(PROGRAM)
    subprocess.run(["pyinstaller", "-y", "bridge.py"], cwd=folder, check=True, capture_output=True)
    program = str(Path(folder, "dist/bridge/bridge"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], text=True, capture_output=True, timeout=60, env=os.environ
        )

    return run


@pytest.mark.parametrize("command", [name for name, _ in _COMMANDS])
def test_every_command_is_there(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"usage: gcp-aws-bridge {command}" in done.stdout


def test_errors_are_explained(run: Run) -> None:
    done = run("explain", "exchange/denied")
    assert (0, True) == (done.returncode, done.stdout.startswith("exchange/denied\n"))


def test_an_exchange_is_made(run: Run, gke_pod: GkePod) -> None:
    gke_pod.add_role(ROLE)
    done = run("env", "--no-cache", "--role-arn", ROLE)
    assert (0, "") == (done.returncode, done.stderr)
    assert "AWS_ACCESS_KEY_ID=ASIA" in done.stdout
    done = run("doctor", "--role-arn", ROLE)
    assert (0, True) == (done.returncode, "All well: every step works." in done.stdout)


def test_errors_are_said_as_elsewhere(run: Run) -> None:
    done = run("env", "--no-cache", "--role-arn", "etl")
    assert (1, True) == (done.returncode, "[config/role-arn]" in done.stderr), done.stderr
