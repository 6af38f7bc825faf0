"""The output of commands is usable by shells and SDKs; a closed pipe is no error."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher

from gcp_aws_bridge.cli import _COMMANDS, emulate, main
from gcp_aws_bridge.cli._serving import announce
from gcp_aws_bridge.cli._shells import SHELLS
from gcp_aws_bridge.cli._streams import CLOSED_PIPE, guarded
from gcp_aws_bridge.cli.serve import _for_clients
from gcp_aws_bridge.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs/how-to/role-chaining.md"
posix = pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")

# -- output for a shell ------------------------------------------------------------------------

HOSTILE = [
    *(
        "",
        " ",
        "a b",
        "  a  ",
        "it's",
        "'",
        "''",
        '"',
        '\\"',
        "\\",
        "\\\\",
        "a\\",
        "$HOME",
        "${HOME}",
    ),
    *("$(touch hacked)", "`touch hacked`", "; touch hacked", "& touch hacked", "| touch hacked"),
    *("> hacked", "< /dev/null", "a\tb", "a\nb", "\ntouch hacked\n", "!!", "*", "?", "[a]", "~"),
    *("~root", "#", "a#b", "-n", "--", "=", "a=b", "%s", "%PATH%", "é", "日本", "\u2028", "(a)"),
    *("{a,b}", "/tmp/it's a folder/$USER/token", "http://127.0.0.1:1/c?a=b&c=d", "a'b\"c$d`e\\f g"),
]


@posix
def test_shell_reads_each_value_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One shell process evaluates all outputs and prints the variables."""
    variables = {f"V{number}": value for number, value in enumerate(HOSTILE)}
    announce(argparse.Namespace(shell="bash"), variables)
    printed = capsys.readouterr().out
    show = f"import json, os; print(json.dumps({{n: os.environ[n] for n in {[*variables]}}}))"
    done = subprocess.run(
        ["sh", "-c", 'eval "$1"\nexec "$2" -c "$3"', "sh", printed, sys.executable, show],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert variables == json.loads(done.stdout)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_each_form_has_every_variable(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    announce(argparse.Namespace(shell=shell), {"ONE": "1", "TWO": "a b"})
    out = capsys.readouterr().out
    assert out.index("ONE") < out.index("TWO")
    assert "a b" in out


# -- addresses for SDKs ------------------------------------------------------------------------


class Sent(Exception):
    """A request was sent to an address that botocore accepts."""


class Sending:
    """botocore's HTTP session, with only the method that sends."""

    def send(self, request: object) -> None:
        raise Sent


@pytest.mark.parametrize(
    ("listens", "printed", "warns"),
    [
        ("http://127.0.0.1:9911", "http://127.0.0.1:9911", ""),
        ("http://127.0.0.2:9911", "http://127.0.0.2:9911", ""),
        ("http://[::1]:9911", "http://[::1]:9911", "before November 2023"),
        ("http://169.254.170.2:80", "http://169.254.170.2:80", ""),
        ("http://169.254.170.23:80", "http://169.254.170.23:80", ""),
        ("http://[fd00:ec2::23]:80", "http://[fd00:ec2::23]:80", ""),
        ("http://0.0.0.0:9911", "http://127.0.0.1:9911", "share the network"),
        ("http://[::]:9911", "http://[::1]:9911", "share the network"),
        ("http://10.1.2.3:9911", "http://10.1.2.3:9911", "No AWS SDK accepts"),
        ("http://169.254.170.3:9911", "http://169.254.170.3:9911", "No AWS SDK accepts"),
        ("http://[fd00::1]:9911", "http://[fd00::1]:9911", "No AWS SDK accepts"),
        ("http://[fe80::1%eth0]:9911", "http://[fe80::1%eth0]:9911", "No AWS SDK accepts"),
    ],
)
def test_printed_address_is_accepted_by_botocore(listens: str, printed: str, warns: str) -> None:
    url, warning = _for_clients(listens)
    assert printed == url
    assert (warns in warning, bool(warns)) == (True, bool(warning))
    expected = ValueError if warns == "No AWS SDK accepts" else Sent
    with pytest.raises(expected):
        ContainerMetadataFetcher(Sending()).retrieve_full_uri(f"{url}/credentials")


class Stop(BaseException):
    """Ends a server that is tested."""


def served(monkeypatch: pytest.MonkeyPatch, module: str, *arguments: str) -> None:
    """Run a command that serves, and end it as soon as it has printed its output."""

    def end(*_: Any, **__: Any) -> None:
        raise Stop

    monkeypatch.setattr(f"gcp_aws_bridge.cli.{module}.hint", end)
    with pytest.raises(Stop):
        main([module.replace("_", "-"), "--port", "0", *arguments])


def test_serve_on_all_addresses_prints_lines_for_a_shell(
    pod: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role = "--role-arn=arn:aws:iam::123456789012:role/etl"
    file = tmp_path / "it's a token"
    served(monkeypatch, "serve", role, "--host=0.0.0.0", f"--token-file={file}", "--shell=bash")
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127\.0\.0\.1:\d+/credentials", lines[0]
    )
    quoted = str(file).replace("'", "'\"'\"'")
    assert [f"export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='{quoted}'"] == lines[1:]


def test_google_serve_prints_lines_for_a_shell(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audience = "projects/1/locations/global/workloadIdentityPools/p/providers/q"
    served(monkeypatch, "google_serve", f"--audience={audience}", "--shell=bash")
    names = re.findall(r"^export (\w+)=127\.0\.0\.1:\d+$", capsys.readouterr().out, re.M)
    assert ["GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"] == names


# -- a closed pipe -----------------------------------------------------------------------------

SETUP = [
    *("setup", "--project=p-1234567", "--location=europe-west1", "--cluster=c", "--namespace=n"),
    *("--ksa=k", "--gsa=g-12345", "--aws-account=123456789012", "--role=etl", "--non-interactive"),
]
BUILD = [
    *("trust-policy", "build", "--audience=aws:1:x"),
    "--service-account=104203741234567890123",
]
PROVIDER = "projects/1/locations/global/workloadIdentityPools/p/providers/q"
PRINTING = [
    ["--help"],
    ["--version"],
    *([name, "--help"] for name, _ in _COMMANDS),
    *([*SETUP, f"--format={form}"] for form in ("shell", "terraform", "kubernetes")),
    BUILD,
    ["env"],
    ["token"],
    ["credential-process"],
    ["doctor"],
    ["doctor", "--json"],
    ["google-config", "--audience", PROVIDER, "--source", "signed-request"],
    ["emulate"],
    ["serve", "--port=0"],
    ["google-serve", "--port=0", "--audience", PROVIDER],
]


@contextlib.contextmanager
def closed_pipe(name: str) -> Iterator[None]:
    """Replace one of the standard streams by a pipe whose reader is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    before = getattr(sys, name)
    stream = os.fdopen(writer, "w", encoding="utf-8", buffering=1 if name == "stderr" else -1)
    setattr(sys, name, stream)
    try:
        yield
    finally:
        setattr(sys, name, before)
        stream.close()  # raises if a buffered text is left


@pytest.fixture
def configured(pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", "arn:aws:iam::123456789012:role/etl")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("GCP_AWS_BRIDGE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("arguments", PRINTING, ids=lambda given: " ".join(given)[:40])
def test_closed_pipe_ends_any_command_quietly(
    configured: None, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with closed_pipe("stdout"):
        assert CLOSED_PIPE == main(arguments)
    error = capsys.readouterr().err
    assert not re.search("Traceback|BrokenPipe|Errno", error)
    assert sys.stdout is not None


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(BUILD, 0), (["nonsense"], 2), (["env", "--role-arn=x"], 1), ([*SETUP, "--output=OUT"], 0)],
    ids=lambda it: str(it)[:30],
)
def test_closed_stderr_does_not_change_the_result(
    configured: None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    status: int,
) -> None:
    arguments = [word.replace("OUT", str(tmp_path / "out")) for word in arguments]
    with closed_pipe("stderr"):
        found: object
        try:
            found = main(arguments)
        except SystemExit as error:  # wrong usage
            found = error.code
    assert status == found
    if "setup" in arguments:
        assert 2 == len([*(tmp_path / "out").iterdir()])


def test_other_error_is_raised_unchanged() -> None:
    def fails() -> int:
        raise BrokenPipeError("of a network")

    with pytest.raises(BrokenPipeError, match="of a network"):
        guarded(fails)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_full_disk_is_reported(configured: None, capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with open("/dev/full", "w", encoding="utf-8") as full:
        sys.stdout = full
        try:
            assert 74 == main(BUILD)  # 1 has a meaning in other commands
        finally:
            sys.stdout = before
    assert "gcp-aws-bridge: standard output: No space left on device\n" == capsys.readouterr().err


@posix
def test_process_with_closed_streams_succeeds(tmp_path: Path) -> None:
    """The end of the interpreter writes nothing either and has no status of its own (120)."""
    script = """
    "$@" --help 2>err | true; echo ${PIPESTATUS[0]}
    "$@" --help >&- 2>>err; echo $?
    "$@" --version >&- 2>&- <&-; echo $?
    "$@" nonsense 2>&-; echo $?
    """
    words = ["bash", "-c", script, "bash", sys.executable, "-m", "gcp_aws_bridge"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [str(CLOSED_PIPE), "0", "0", "2"] == done.stdout.split()
    assert ("", "") == (done.stderr, (tmp_path / "err").read_text())


# -- emulate ------------------------------------------------------------------------------------


@posix
def test_examples_of_role_chaining_run_with_the_output_of_emulate(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    [command] = re.findall(r"```sh\n(gcp-aws-bridge emulate .*)\n```", page)
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert "ChainedRole" in examples.pop()  # its permissions are more than those of `emulate`
    (tmp_path / "example.py").write_text("\n".join(examples), encoding="utf-8")
    bridge = f"'{sys.executable}' -m gcp_aws_bridge"
    script = f"""
    {command.replace("gcp-aws-bridge", bridge)} --shell bash >clouds.env 2>printed & emulator=$!
    until [ -s printed ]; do kill -0 $emulator || exit 1; sleep 0.1; done
    . ./clouds.env
    '{sys.executable}' example.py; status=$?
    kill $emulator; wait $emulator
    exit $status
    """
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    assert ":210987654321:assumed-role/reader/" in done.stdout


def test_google_libraries_on_a_laptop_impersonate_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import google.auth
    import google.auth.transport.requests

    with Emulator() as cloud:
        cloud.add_role("arn:aws:iam::123456789012:role/etl")
        roles = ["arn:aws:iam::123456789012:role/etl"]
        environ, _ = emulate._on_laptop(cloud, roles, "sts.amazonaws.com", tmp_path / "it's")
        assert not [name for name in environ if name.startswith("GCE_METADATA_")]
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(google.auth.transport.requests.Request())
        found = cloud.google_identity(credentials.token)
        assert cloud.service_account.email == found.email


def test_session_example_runs_on_a_laptop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pod: Emulator
) -> None:
    pytest.importorskip("gcp_aws_bridge._tokens.federated_id_token")
    import gcp_aws_bridge as bridge

    role = "arn:aws:iam::123456789012:role/etl"
    pod.add_role(role)
    environ, _ = emulate._on_laptop(pod, [role], "sts.amazonaws.com", tmp_path)
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    arn = bridge.session(role).client("sts").get_caller_identity()["Arn"]
    assert ":assumed-role/etl/" in arn
