"""`gcp-aws-bridge emulate`, as a process."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from gcp_aws_bridge.cli import _COMMANDS, emulate

RUN = """
import argparse, sys
from gcp_aws_bridge.cli import _COMMANDS, emulate
before = set(sys.modules)
parser = argparse.ArgumentParser(prog="emulate")
emulate.configure(parser)
assert "cryptography" not in sys.modules and "gcp_aws_bridge.emulator" not in sys.modules
sys.exit(emulate.run(parser.parse_args()))
"""
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture
def start(python_path):
    running = []

    def run(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RUN, *args],
            env={**os.environ, "PYTHONPATH": python_path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def read_environment(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the JSON that it prints first; the process goes on."""
    assert process.stdout is not None
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], "it ended early"
    return json.loads("".join(lines))


@posix
def test_serves_until_ctrl_c(start):
    process = start("--shell", "json")
    environ = read_environment(process)
    assert environ["AWS_ROLE_ARN"] == environ["GCP_AWS_BRIDGE_ROLE_ARN"]
    assert environ["AWS_REGION"] == "us-east-1"
    assert "GCP_AWS_BRIDGE_AUDIENCE" not in environ
    identity = (
        f"http://{environ['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/"
        "default/identity?audience=sts.amazonaws.com"
    )
    request = urllib.request.Request(identity, headers={"Metadata-Flavor": "Google"})
    with urllib.request.urlopen(request) as answer:
        token = answer.read().decode()
    form = (
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=cli"
        f"&RoleArn={environ['AWS_ROLE_ARN']}&WebIdentityToken={token}"
    )
    with urllib.request.urlopen(environ["AWS_ENDPOINT_URL_STS"], form.encode()) as answer:
        assert b"<AccessKeyId>ASIA" in answer.read()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert "Ctrl-C stops" in err
    assert "Traceback" not in err


@posix
def test_roles_audience_and_account_until_sigterm(start):
    roles = [f"arn:aws:iam::123456789012:role/{name}" for name in ("one", "two")]
    email = "x@p1.iam.gserviceaccount.com"
    process = start(
        *("--role", roles[0], "--role", roles[1], "--audience", "my aud"),
        *("--service-account", email, "--shell", "json"),
    )
    environ = read_environment(process)
    assert environ["AWS_ROLE_ARN"] == roles[0]
    assert environ["GCP_AWS_BRIDGE_AUDIENCE"] == "my aud"
    process.send_signal(signal.SIGTERM)
    hints = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert "Traceback" not in hints
    assert all(word in hints for word in (*roles, email, "my aud"))


ON_AWS = """
import google.auth, google.auth.transport.requests
credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
print(credentials.service_account_email, credentials.token[:7])
"""


@posix
def test_the_other_direction_is_what_google_auth_takes(start, tmp_path):
    role = "arn:aws:iam::210987654321:role/a/path/etl"
    process = start("--on-aws", str(tmp_path / "new"), "--role", role, "--shell", "json")
    environ = read_environment(process)
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # the instance tells
        del environ[name]
    done = subprocess.run(
        [sys.executable, "-c", ON_AWS],
        env={**given, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    email = "etl@demo-project.iam.gserviceaccount.com"
    assert [email, "ya29.c."] == done.stdout.split(), done.stderr
    process.send_signal(signal.SIGTERM)
    hints = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert f"{role} may act as {email}." in hints


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--role", "etl"], 2, "'etl' is not the ARN of an IAM role."),
        (["--service-account", "me@gmail.com"], 2, "is not a service account's e-mail"),
        (["--service-account", ""], 2, "is not a service account's e-mail"),
        (["--sts-port", "70000"], 1, "cannot serve the requested ports"),
    ],
)
def test_values_that_cannot_be(capsys, args, status, words):
    parser = argparse.ArgumentParser()
    emulate.configure(parser)
    assert emulate.run(parser.parse_args(args)) == status
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_a_taken_port(emulator, capsys):
    parser = argparse.ArgumentParser()
    emulate.configure(parser)
    assert emulate.run(parser.parse_args(["--sts-port", str(emulator.sts.port)])) == 1
    assert "cannot serve" in capsys.readouterr().err


def test_help_is_one_line():
    summary = dict(_COMMANDS)["emulate"]
    assert summary
    assert "\n" not in summary
