"""`run`: the environment of the program, what it checks before, and unchanged programs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import commands
import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore import install
from gcp_aws_bridge._botocore import run as by_run
from gcp_aws_bridge.cli import _command
from gcp_aws_bridge.cli._python_command import why_not_installed
from gcp_aws_bridge.cli.run import FOLDER
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/other"
ACCOUNT = "etl@my-project.iam.gserviceaccount.com"

posix = pytest.mark.skipif(os.name != "posix", reason="Windows cannot replace a process")
pytestmark = pytest.mark.usefixtures("home")


Environment = Callable[..., dict[str, str]]


@pytest.fixture(autouse=True)
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments of programs that would have replaced this process."""
    found: list[dict[str, str]] = []

    def execve(path: str, command: list[str], environ: dict[str, str]) -> None:
        found.append(environ)
        raise OSError(8, "Exec format error")

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return found


@pytest.fixture
def environment(replaced: list[dict[str, str]]) -> Environment:
    """Return the environment of the program, for options and variables of the command."""

    def run(*options: str, **variables: str) -> dict[str, str]:
        done = commands.run("run", *options, "--", sys.executable, "-c", "", **variables)
        assert (126, True) == (done.returncode, "Exec format error" in done.stderr), done.stderr
        return replaced.pop()

    return run


# -- the environment of the program ------------------------------------------------------------


def ours(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith("GCP_AWS_BRIDGE_")}


@posix
def test_options_become_variables(environment: Environment) -> None:
    environ = environment(
        *("--role-arn", ROLE, "--audience", "aws:1:etl", "--role-session-name", "nightly"),
        *("--duration-seconds", "900", "--chain", OTHER, "--chain", ROLE),
        *("--impersonate", ACCOUNT, "--region", "eu-west-1"),
    )
    assert {
        "GCP_AWS_BRIDGE_INSTALL": "aws",
        "GCP_AWS_BRIDGE_ROLE_ARN": ROLE,
        "GCP_AWS_BRIDGE_AUDIENCE": "aws:1:etl",
        "GCP_AWS_BRIDGE_ROLE_SESSION_NAME": "nightly",
        "GCP_AWS_BRIDGE_DURATION_SECONDS": "900",
        "GCP_AWS_BRIDGE_CHAIN": f"{OTHER},{ROLE}",
        "GCP_AWS_BRIDGE_IMPERSONATE": ACCOUNT,
    } == ours(environ)
    assert ("eu-west-1", "eu-west-1") == (environ["AWS_REGION"], environ["AWS_DEFAULT_REGION"])


@posix
def test_program_keeps_its_environment(environment: Environment) -> None:
    environ = environment(GCP_AWS_BRIDGE_ROLE_ARN=ROLE, EMPTY="", NAME="value")
    kept = {**os.environ, "EMPTY": "", "NAME": "value", "PYTHONPATH": environ["PYTHONPATH"]}
    assert kept.items() <= environ.items()
    assert {"GCP_AWS_BRIDGE_ROLE_ARN": ROLE, "GCP_AWS_BRIDGE_INSTALL": "aws"} == ours(environ)


@posix
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, [FOLDER]),
        ("", [FOLDER]),
        ("/a", [FOLDER, "/a"]),
        (f"/a{os.pathsep}", [FOLDER, "/a", ""]),
        (f"/a{os.pathsep}{FOLDER}{os.pathsep}/b", [FOLDER, "/a", "/b"]),
        (FOLDER, [FOLDER]),
    ],
)
def test_folder_is_once_and_first_on_the_path(
    environment: Environment, before: str | None, after: list[str]
) -> None:
    variables = {} if before is None else {"PYTHONPATH": before}
    environ = environment("--role-arn", ROLE, **variables)
    assert after == environ["PYTHONPATH"].split(os.pathsep)


@posix
def test_token_file_is_found_from_another_folder(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = environment("--role-arn", ROLE, "--id-token-file", "token")
    assert str(tmp_path / "token") == environ["GCP_AWS_BRIDGE_ID_TOKEN_FILE"]


def profiles(home: Path, text: str) -> dict[str, str]:
    (home / "config").write_text(text, encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(home / "config")}


@posix
def test_named_profile_is_read_instead_of_the_environment(
    environment: Environment, home: Path
) -> None:
    variables = profiles(home, f"[profile etl]\ngcp_role_arn={ROLE}\ngcp_chain={OTHER}\n")
    environ = environment(
        *("--profile", "etl", "--role-session-name", "nightly"),
        GCP_AWS_BRIDGE_ROLE_ARN=OTHER,
        GCP_AWS_BRIDGE_AUDIENCE="other",
        AWS_DEFAULT_PROFILE="other",
        **variables,
    )
    assert {
        "GCP_AWS_BRIDGE_INSTALL": "aws",
        "GCP_AWS_BRIDGE_ROLE_ARN": ROLE,
        "GCP_AWS_BRIDGE_AUDIENCE": "sts.amazonaws.com",
        "GCP_AWS_BRIDGE_ROLE_SESSION_NAME": "nightly",
        "GCP_AWS_BRIDGE_DURATION_SECONDS": "3600",
        "GCP_AWS_BRIDGE_CHAIN": OTHER,
    } == ours(environ)
    assert "etl" == environ["AWS_PROFILE"]
    assert "AWS_DEFAULT_PROFILE" not in environ


@posix
def test_role_of_the_default_profile_is_enough(environment: Environment, home: Path) -> None:
    environ = environment(**profiles(home, f"[default]\ngcp_role_arn={ROLE}\n"))
    assert {"GCP_AWS_BRIDGE_INSTALL": "aws"} == ours(environ)


GOOGLE = {
    "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": "//iam.googleapis.com/projects/123456789012/locations/global"
    "/workloadIdentityPools/aws/providers/eks"
}


@posix
@pytest.mark.parametrize(
    ("options", "value"),
    [
        ((), "google"),
        (("--profile", "empty"), "google"),
        (("--role-arn", ROLE), "aws,google"),
        (("--profile", "etl"), "aws,google"),
    ],
)
def test_role_is_installed_beside_google_if_there_is_one(
    environment: Environment, home: Path, options: tuple[str, ...], value: str
) -> None:
    text = f"[profile etl]\ngcp_role_arn={ROLE}\n[profile empty]\nregion=eu-west-1\n"
    environ = environment("--google", *options, **GOOGLE, **profiles(home, text))
    assert value == environ["GCP_AWS_BRIDGE_INSTALL"]


# -- checks before the program starts ----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error_id"),
    [
        ((), "config/no-role"),
        (("--role-arn", "etl"), "config/role-arn"),
        (("--role-arn", ROLE, "--duration-seconds", "1"), "config/duration"),
        (("--role-arn", ROLE, "--audience", ""), "config/audience"),
        (("--role-arn", ROLE, "--chain", "x"), "config/role-arn"),
        (("--role-arn", ROLE, "--impersonate", "x"), "config/google-service-account"),
        (("--role-arn", ROLE, "--profile", "missing"), "config/profile"),
        (("--google",), "config/google-none"),
        (("--google", "--role-arn", "etl"), "config/role-arn"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_setting_is_an_error_before_the_program_starts(
    options: tuple[str, ...], error_id: str, replaced: list[dict[str, str]]
) -> None:
    done = commands.run("run", *options, "--", sys.executable, "-c", "")
    assert (1, "") == (done.returncode, done.stdout)
    assert f"[{error_id}]" in done.stderr
    assert [] == replaced


def test_malformed_variable_is_an_error_that_names_it() -> None:
    variables = {"GCP_AWS_BRIDGE_ROLE_ARN": ROLE, "GCP_AWS_BRIDGE_DURATION_SECONDS": "x"}
    done = commands.run("run", "--", sys.executable, "-c", "", **variables)
    assert 1 == done.returncode
    assert "GCP_AWS_BRIDGE_DURATION_SECONDS" in done.stderr


def test_command_that_cannot_be_run_has_the_status_of_a_shell(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program", encoding="utf-8")
    commandless = commands.run("run", "--role-arn", ROLE, "--")
    missing = commands.run("run", "--role-arn", ROLE, "--", "nowhere")
    not_executable = commands.run("run", "--role-arn", ROLE, "--", str(tmp_path / "text"))
    statuses = [each.returncode for each in (commandless, missing, not_executable)]
    assert [2, 127, 126] == statuses
    assert "run -- COMMAND" in commandless.stderr


@posix
def test_keys_in_the_environment_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "not_run", lambda *_: 126)
    variables = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush"}
    done = commands.run("run", "--role-arn", ROLE, "--", sys.executable, **variables)
    assert "gcp-aws-bridge run: AWS_ACCESS_KEY_ID is set" in done.stderr
    assert "hush" not in done.stderr
    assert "" == commands.run("run", "--role-arn", ROLE, "--", sys.executable).stderr
    on_aws = commands.run("run", "--google", "--", sys.executable, **variables, **GOOGLE)
    assert "" == on_aws.stderr


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("python -I app.py", "python -I ignores PYTHONPATH"),
        ("python3.13 -E -m app", "python3.13 -E ignores PYTHONPATH"),
        ("/opt/bin/python3 -sSc pass", "python3 -S imports no sitecustomize"),
        ("python -W error -Xdev -X utf8 -I app.py", "python -I ignores PYTHONPATH"),
        ("python --check-hash-based-pycs never -bI app.py", "python -I ignores PYTHONPATH"),
        ("python.exe -I app.py", "python.exe -I ignores PYTHONPATH"),
        ("env -i python app.py", "env -i removes PYTHONPATH"),
        ("env -u PYTHONPATH python app.py", "env -u PYTHONPATH removes PYTHONPATH"),
        ("env --unset=PYTHONPATH python app.py", "env --unset=PYTHONPATH removes PYTHONPATH"),
        ("env A=1 PYTHONPATH=/x python app.py", "env PYTHONPATH=/x removes PYTHONPATH"),
        ("env -C /x A=1 python -I app.py", "python -I ignores PYTHONPATH"),
        ("env -S python -I app.py", "python -I ignores PYTHONPATH"),
        ("python app.py -I", None),
        ("python -m app -E", None),
        ("python -cpass -I", None),
        ("python -WI app.py", None),
        ("python -X I app.py", None),
        ("python - -I", None),
        ("python", None),
        ("env python app.py", None),
        ("env -u HOME python app.py", None),
        ("gunicorn -E app", None),
        ("pythonic -I", None),
        ("env", None),
    ],
)
def test_command_line_without_the_hook_is_detected(command: str, reason: str | None) -> None:
    said = why_not_installed(command.split())
    assert (said is None) if reason is None else (said or "").startswith(f"{reason}, so ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"#!/usr/bin/python3 -I", "python3 -I ignores PYTHONPATH"),
        (b"#! /usr/bin/python3 -Es\r", "python3 -E ignores PYTHONPATH"),
        (b"#!/usr/bin/env -S python3 -I", "python3 -I ignores PYTHONPATH"),
        (b"#!/usr/bin/env python3", None),
        (b"#!/bin/sh", None),
        (b"\x7fELF\xff", None),
        (b"#!", None),
        (b"", None),
    ],
)
def test_first_line_of_a_script_is_read(tmp_path: Path, line: bytes, reason: str | None) -> None:
    script = tmp_path / "script"
    script.write_bytes(line + b"\nprint(1)\n")
    said = why_not_installed([str(script), "-I"])
    assert (said is None) if reason is None else (said or "").startswith(f"{reason}, so ")


# -- programs ----------------------------------------------------------------------------------

WHO = """
import json, logging, multiprocessing, os, sys

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
logging.getLogger("botocore").setLevel("WARNING")

def who(_):
    import boto3

    for _ in range(2):
        session = boto3.Session(region_name="us-east-1")
        arn = session.client("sts").get_caller_identity()["Arn"]
    return [session.get_credentials().method, arn.split("/")[1], os.getpid()]

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps([who(0), *pool.map(who, [0])]))
"""


@posix
def test_program_and_its_child_have_the_role_and_each_logs_it_once(
    pod: Emulator, tmp_path: Path
) -> None:
    program = tmp_path / "who.py"
    program.write_text(WHO, encoding="utf-8")
    options = ["run", "--role-arn", ROLE, "--", sys.executable, str(program)]
    process = subprocess.Popen(
        [sys.executable, "-m", "gcp_aws_bridge", *options], stdout=subprocess.PIPE, text=True
    )
    *logged, answer = (process.communicate(timeout=50)[0] or "").splitlines()
    assert 0 == process.returncode
    parent, child = json.loads(answer)
    assert ["google-web-identity", "etl"] == parent[:2] == child[:2]
    assert process.pid == parent[2]
    exchanges = [each for each in pod.sts.requests if each.action == "AssumeRoleWithWebIdentity"]
    assert 2 == len(exchanges)
    installed = [line for line in logged if "gcp-aws-bridge run: new sessions" in line]
    assert 2 == len(installed)
    assert {True} == {each.endswith(f"the role {ROLE}") for each in installed}


@posix
def test_program_receives_signals_as_without_run() -> None:
    """Python ignores SIGPIPE, and a program would inherit that."""
    shell = ["sh", "-c", "echo $$; (yes; echo $? >&2) | head -n 1; kill $$"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gcp_aws_bridge", "run", "--role-arn", ROLE, "--", *shell],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=30)
    assert (f"{process.pid}\ny\n", "141\n") == (out, err)
    assert -signal.SIGTERM == process.returncode


# -- installed in this process -----------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start sessions as in a process of `run`."""
    monkeypatch.setattr(install, "changed_by_program", threading.Event())
    botocore.register_initializer(by_run.attach)
    yield
    botocore.unregister_initializer(by_run.attach)


def method(session: Any = None) -> str | None:
    found = (session or boto3.Session(region_name="us-east-1")).get_credentials()
    return found and found.method


@pytest.mark.usefixtures("installed")
def test_program_can_uninstall(pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    assert "google-web-identity" == method()
    bridge.uninstall()
    assert method() is None


@pytest.mark.usefixtures("installed")
def test_install_of_the_program_takes_precedence(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.add_role(OTHER)
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    bridge.install(OTHER)
    try:
        arn = boto3.client("sts", region_name="us-east-1").get_caller_identity()["Arn"]
    finally:
        bridge.uninstall()
    assert ":assumed-role/other/" in arn


@pytest.mark.usefixtures("installed")
def test_session_gets_its_token_from_the_named_file(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = bridge.MetadataServer("sts.amazonaws.com")()
    (tmp_path / "token").write_text(token, encoding="utf-8")
    pod.metadata.requests.clear()
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_ID_TOKEN_FILE", str(tmp_path / "token"))
    assert "google-web-identity" == method()
    assert 0 == len(pod.metadata.requests)


@pytest.mark.usefixtures("installed")
def test_session_of_aiobotocore_has_the_role(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = pytest.importorskip("aiobotocore.session")
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)

    async def found() -> str:
        credentials = await sessions.get_session().get_credentials()
        return str(credentials.method)

    assert "google-web-identity" == asyncio.run(found())
