"""`gcp-aws-bridge trust-policy`, and the code of its page as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import commands
import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs/how-to/trust-policy.md"
ROLE = "arn:aws:iam::123456789012:role/etl"
NUMBER = "104203741234567890123"
AUDIENCE = "aws:123456789012:etl"
CLAIMS = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": NUMBER, "sub": NUMBER}
POLICY = policy.build(audience=AUDIENCE, service_accounts=[NUMBER])


def run(*arguments: str, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
    if "-" not in arguments:
        return commands.run("trust-policy", *arguments)
    done = subprocess.run(
        [sys.executable, "-m", "gcp_aws_bridge", "trust-policy", *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    (tmp_path / "claims.json").write_text(json.dumps(CLAIMS))
    return tmp_path


# -- the page ----------------------------------------------------------------------------------


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
@pytest.mark.skipif(not shutil.which("bash"), reason="the page is for a POSIX shell")
def test_commands_of_the_page_print_its_output(pod: Emulator, tmp_path: Path) -> None:
    command = tmp_path / "bin" / "gcp-aws-bridge"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gcp_aws_bridge "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    pod.key_file(tmp_path)  # key.json
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.S)
    assert len(blocks) > 6
    for script, wanted in blocks:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ("", wanted) == (done.stderr, done.stdout if wanted else "")
    assert POLICY == json.loads((tmp_path / "policy.json").read_text())
    for name in ("cluster.json", "key-file.json", "chained.json"):
        assert [] == policy.lint((tmp_path / name).read_text())
    assert (tmp_path / "role.tf").read_text().startswith('resource "aws_iam_role" "etl"')


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    first, chained = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    exec(first, {})
    assert "jsonencode" in capsys.readouterr().out
    exec(chained, {})
    assert "arn:aws:iam::210987654321:role/reader" in capsys.readouterr().out


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_page_has_every_rule() -> None:
    folder = Path(policy.lint.__code__.co_filename).parent
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    rules = set(re.findall(r'(?:Finding|Fault)\(\s*"([a-z-]+)"', source))
    rules |= {"missing-aud", "missing-oaud", "missing-sub", "missing-app-id"}
    rules |= {"never-matches", "two-accounts"}
    rules |= {"missing-tag-session", "missing-set-source-identity"}
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| rule |") : page.index("## In continuous")]
    rows = " ".join(re.findall(r"^\| (`.+?`) \|", table, re.M))
    assert sorted(rules) == sorted(re.findall(r"`([a-z-]+)`", rows))


# -- against the emulated clouds ---------------------------------------------------------------


def test_policy_written_from_a_token_admits_that_token(pod: Emulator, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(pod.mint(AUDIENCE))
    built = run("build", "--token-file", str(tmp_path / "token"))
    assert (0, "") == (built.returncode, built.stderr)
    pod.add_role(ROLE, built.stdout)
    checked = run("check", "-", "--token", str(tmp_path / "token"), stdin=built.stdout)
    assert (0, "Admitted.") == (checked.returncode, checked.stdout.splitlines()[0])


def test_policy_written_from_a_key_file_admits_its_token(pod: Emulator, tmp_path: Path) -> None:
    key_file = pod.key_file(tmp_path)["GOOGLE_APPLICATION_CREDENTIALS"]
    built = run("build", "--key-file", key_file, "--audience", AUDIENCE)
    assert (0, "") == (built.returncode, built.stderr)
    account = pod.service_account
    both = run("build", "--key-file", key_file, "--service-account", account.unique_id)
    [pins] = json.loads(both.stdout)["Statement"][0]["Condition"].values()
    assert [account.unique_id, account.email] == pins["accounts.google.com:aud"]
    source = bridge.GoogleCredentials(key_file=key_file)
    pod.add_role(ROLE, built.stdout)
    credentials = bridge.credentials(ROLE, audience=AUDIENCE, token_source=source)
    assert credentials.access_key.startswith("ASIA")
    secret = json.loads(Path(key_file).read_text())["private_key"].splitlines()[1]
    assert secret not in built.stdout + both.stdout


# -- exit statuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "first"),
    [
        ({}, 0, "Admitted."),
        ({"aud": "other"}, 1, "Denied: no statement allows it."),
        ({"https://aws.amazon.com/tags": {}}, 1, "Not determined: "),
    ],
)
def test_check(files: Path, change: dict[str, Any], status: int, first: str) -> None:
    claims = json.dumps({**CLAIMS, **change})
    done = run("check", str(files / "policy.json"), "--claims", "-", stdin=claims)
    assert (status, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith(first)
    as_json = run("check", str(files / "policy.json"), "--claims", "-", "--json", stdin=claims)
    assert status == as_json.returncode
    found = json.loads(as_json.stdout)
    assert (status == 0, "Not" in first) == (found["allowed"], found["undetermined"])
    assert "holds: Principal names" in found["statements"][0]["reasons"][0]


def test_lint(files: Path) -> None:
    assert (0, "") == ((done := run("lint", str(files / "policy.json"))).returncode, done.stdout)
    wrong = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}}
    done = run("lint", "-", stdin=json.dumps(wrong))
    assert 1 == done.returncode
    assert ["principal-anyone", "action-wildcard"] == re.findall(r"\[(.*?)\] ", done.stdout)
    [first, _] = json.loads(run("lint", "-", "--json", stdin=json.dumps(wrong)).stdout)
    assert ("principal-anyone", "error", "Statement[0].Principal") == (
        first["rule"],
        first["severity"],
        first["where"],
    )


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("arguments", "stdin", "error_id"),
    [
        (["lint", "-"], "not JSON", "config/trust-policy"),
        (["build", "--key-file", "-"], "not JSON", "config/input-file"),
        (["build", "--key-file", "-"], "[]", "config/input-file"),
        (["build", "--key-file", "-"], '{"type": "authorized_user"}', "config/input-file"),
        (["build", "--key-file", "-"], '{"type": "service_account"}', "config/input-file"),
        (
            ["build", "--key-file", "-"],
            '{"type": "service_account", "client_id": "1", "client_email": "a@b.c"}',
            "config/trust-policy-value",
        ),
        (["lint", "-"], '{"Version": "2012-10-17"}', "config/trust-policy"),
        (["lint", "-"], b"\xff\xfe{}", "config/input-file"),
        (["lint", "-"], "[" * 100_000, "config/trust-policy"),
        (["lint", "-"], " " * 1_000_001, "config/input-file"),
        (["lint", "missing.json"], "", "config/input-file"),
        (["lint", "."], "", "config/input-file"),
        (["check", "{policy}", "--claims", "-"], "not JSON", "config/claims"),
        (["check", "{policy}", "--claims", "-"], "[" * 100_000, "config/claims"),
        (["check", "{policy}", "--claims", "-"], "[]", "config/claims"),
        (["check", "{policy}", "--claims", "-"], "{}", "config/claims"),
        (["check", "{policy}", "--token-file", "-"], "no.jwt", "token/malformed"),
        (["check", "{policy}", "--token-file", "-"], "", "token/malformed"),
        (["build", "--token-file", "-"], "a.b.c", "token/malformed"),
        (["build"], "", "config/trust-policy-value"),
        (["build", "--service-account", "a@b"], "", "config/trust-policy-value"),
        (["build", "--service-account", NUMBER, "--audience", ""], "", "config/trust-policy-value"),
        (
            ["build", "--service-account", NUMBER, "--format", "terraform", "--name", "a b"],
            "",
            "config/trust-policy-value",
        ),
    ],
)
def test_bad_input_is_status_2(
    files: Path, arguments: list[str], stdin: str, error_id: str
) -> None:
    named = [word.format(policy=files / "policy.json") for word in arguments]
    done = run(*named, stdin=stdin)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"[{error_id}]" in done.stderr
    assert " Fix: " in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["check", "-", "--claims", "-"],
        ["check", "-"],
        ["check", "-", "--claims", "x", "--token-file", "y"],
        ["build", "--token-file", "x", "--audience", "y"],
        ["build", "--service-account", NUMBER, "--format", "toml"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr


@pytest.mark.parametrize("command", [["check", "-"], ["build"]])
def test_token_on_the_command_line_is_an_error_and_is_not_shown(command: list[str]) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # made up
    done = run(*command, "--token", token)
    assert (2, "") == (done.returncode, done.stdout)
    assert "[config/token-on-command-line]" in done.stderr
    assert not any(part in done.stderr for part in token.split("."))


@pytest.mark.parametrize("action", ["build", "check", "lint"])
def test_help_lists_the_exit_statuses(action: str) -> None:
    done = run(action, "--help")
    assert 0 == done.returncode
    assert "Exit status: 0 " in done.stdout
    assert "2 bad input or wrong usage." in done.stdout.replace("\n", " ")


def test_policy_with_a_byte_order_mark_is_read(files: Path) -> None:
    (files / "marked.json").write_text(json.dumps(POLICY), encoding="utf-8-sig")
    assert 0 == run("lint", str(files / "marked.json")).returncode


def test_command_imports_no_large_library() -> None:
    script = (
        "import sys\n"
        "from gcp_aws_bridge.cli import main\n"
        f"main(['trust-policy', 'build', '--service-account', '{NUMBER}'])\n"
        "heavy = {'botocore', 'boto3', 'google.auth', 'cryptography', 'requests', 'http'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)


# -- chained roles -----------------------------------------------------------------------------

TENANT = "arn:aws:iam::210987654321:role/tenant"
PARAMETERS = ("--external-id=tenant-7", "--tag=tenant=seven", "--source-identity=nightly")


def assumed(pod: Emulator, **parameters: Any) -> str:
    """The ARN of the session of the chained role, by botocore's own client."""
    credentials = bridge.credentials(ROLE).get_frozen_credentials()
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=pod.sts.url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
    )
    answer = sts.assume_role(RoleArn=TENANT, RoleSessionName="pod-1", **parameters)
    return str(answer["AssumedRoleUser"]["Arn"])


def test_policies_written_for_a_chained_role_admit_the_role_before_it(pod: Emulator) -> None:
    pod.add_role(ROLE)
    trust = run("build", "--chained", ROLE, *PARAMETERS, "--transitive-tag-key=tenant")
    permissions = run("permissions", TENANT, *PARAMETERS)
    assert (0, "", 0, "") == (
        trust.returncode,
        trust.stderr,
        permissions.returncode,
        permissions.stderr,
    )
    pod.add_role(TENANT, trust.stdout)
    sent = {
        "ExternalId": "tenant-7",
        "Tags": [{"Key": "tenant", "Value": "seven"}],
        "TransitiveTagKeys": ["tenant"],
        "SourceIdentity": "nightly",
    }
    with pytest.raises(botocore.exceptions.ClientError, match="sts:AssumeRole"):
        assumed(pod, **sent)
    pod.attach_policy(ROLE, permissions.stdout)
    assert assumed(pod, **sent).startswith("arn:aws:sts::210987654321:assumed-role/tenant/")
    for change in (
        {"ExternalId": "tenant-8"},
        {"Tags": [{"Key": "tenant", "Value": "eight"}]},
        {"SourceIdentity": "other"},
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            assumed(pod, **{**sent, **change})


@pytest.mark.parametrize(
    ("arguments", "status", "first"),
    [
        (PARAMETERS, 0, "Admitted."),
        (PARAMETERS[1:], 1, "Denied: no statement allows sts:AssumeRole and sts:TagSession"),
        (("--external-id=tenant-7",), 1, "Denied: no statement allows sts:AssumeRole."),
        (
            (*PARAMETERS[:2], "--source-identity=*"),
            1,
            "Not determined: the result depends on something that is not evaluated here.",
        ),
    ],
)
def test_check_of_a_chained_role(
    tmp_path: Path, arguments: tuple[str, ...], status: int, first: str
) -> None:
    path = tmp_path / "policy.json"
    path.write_text(run("build", "--chained", ROLE, *PARAMETERS).stdout)
    done = run("check", str(path), "--chained", ROLE, *arguments)
    assert (status, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith(first)
    as_json = run("check", str(path), "--chained", ROLE, *arguments, "--json")
    found = json.loads(as_json.stdout)
    assert (status == 0, bool(found["denied_actions"])) == (found["allowed"], "Denied" in first)


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("build", "--external-id=ab"), "--chained is needed with --external-id"),
        (("build", "--chained", ROLE, "--audience=x"), "--chained is for a role that admits"),
        (("build", "--chained", ROLE, "--tag=a"), "'a' is not KEY=VALUE"),
        (("build", "--chained", ROLE, "--tag=a=1", "--tag=a=2"), "A tag is given twice"),
        (("build", "--chained", "123456789012"), '"123456789012" is not the ARN of an IAM role'),
        (("permissions", "tenant"), '"tenant" is not the ARN of a role'),
        (("check", "x", "--claims=y", "--role-session-name=z"), "--chained is needed with --role"),
    ],
)
def test_contradicting_options_are_rejected(arguments: tuple[str, ...], seen: str) -> None:
    done = run(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert seen in done.stderr


def test_lint_knows_the_account_of_the_role(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(run("build", "--chained", ROLE).stdout)
    done = run("lint", str(path))
    assert (1, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("warning[missing-external-id] Statement[0].Condition: ")
    assert 0 == run("lint", str(path), "--account-id=123456789012").returncode
    assert run("lint", str(path), "--account-id=210987654321").stdout.startswith("error[")
