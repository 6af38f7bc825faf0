"""The command line in its own process, with its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gcp_aws_bridge

ROLE = "arn:aws:iam::123456789012:role/etl"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gcp_aws_bridge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_version() -> None:
    assert f"gcp-aws-bridge {gcp_aws_bridge.__version__}\n" == run("--version").stdout


def test_help_lists_every_command_with_a_line() -> None:
    done = run("--help")
    assert 0 == done.returncode
    for command in ("demo", "emulate"):
        assert f"\n    {command}" in done.stdout
    assert "Start with: gcp-aws-bridge demo" in done.stdout


@pytest.mark.parametrize("command", ["demo", "emulate"])
def test_each_command_has_help_of_its_own(command: str) -> None:
    done = run(command, "--help")
    assert 0 == done.returncode
    assert f"usage: gcp-aws-bridge {command}" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "--nonsense"]])
def test_wrong_usage_is_status_2_with_a_message(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert "usage: gcp-aws-bridge" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from gcp_aws_bridge.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'botocore', 'boto3', 'google.auth', 'cryptography', 'requests', 'moto'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)


def test_demo_shows_each_step_and_succeeds() -> None:
    done = run("demo", AWS_PROFILE="not-there", AWS_ACCESS_KEY_ID="AKIANOTYOURS")
    assert (0, "") == (done.returncode, done.stderr)
    for step in (
        "0 metadata and 0 STS requests",
        "aud  sts.amazonaws.com",
        "with 1 metadata and 1 STS requests",
        "arn:aws:sts::123456789012:assumed-role/etl/",
        "hello from a pod with no keys",
        "1,000 more signatures, 20 more sessions",
        "STS goes down for fifty minutes",
        "Total: ",
    ):
        assert step in done.stdout
    assert "\033[" not in done.stdout  # no colours in a pipe


def test_demo_without_its_extra_names_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'moto' else real(name, *a)\n"
    )
    done = run("demo", PYTHONPATH=str(tmp_path))
    assert (1, "") == (done.returncode, done.stdout)
    assert "needs moto, not installed here. Fix: pip install 'gcp-aws-bridge[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals work differently there")
def test_demo_keep_runs_until_interrupted() -> None:
    command = [sys.executable, "-u", "-m", "gcp_aws_bridge", "demo", "--keep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        exported = {}
        for line in up.stdout:
            if line.strip().startswith("export "):
                name, _, value = line.strip().removeprefix("export ").partition("=")
                exported[name] = value
            if "python3 -c" in line:
                break
        script = (
            "import gcp_aws_bridge as b; s = b.session()\n"
            "print(s.client('sts').get_caller_identity()['Arn'])\n"
            "print([x['Name'] for x in s.client('s3').list_buckets()['Buckets']])\n"
        )
        played = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **exported},
        )
        up.send_signal(signal.SIGINT)
        assert (0, "") == (up.wait(20), up.stderr.read())
    assert "assumed-role/etl" in played.stdout, played.stderr
    assert "['bridge-demo']" in played.stdout
