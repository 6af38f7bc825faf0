"""`credential-process` and `env`: short processes that share one exchange through a file."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError
from environments import IRRELEVANT
from fakes import Journey, eventually

from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.cli import _cached, credential_process, main
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError
from gcp_aws_bridge.tokens import MetadataServer

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/other"

# The default value, but read only by botocore.
NEEDS_BOTOCORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True, params=["direct", "botocore"])
def cache_folder(
    request: pytest.FixtureRequest, pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """The folder of a command that makes its exchange itself, and of one that needs botocore."""
    if request.param == "botocore":
        monkeypatch.setenv(*NEEDS_BOTOCORE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_CACHE_DIR", str(tmp_path))
    return tmp_path / "gcp-aws-bridge"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gcp_aws_bridge", *arguments]


def process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `credential-process` in its own process."""
    return subprocess.run(
        command("credential-process", *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


def answer(*arguments: str, **environ: str) -> dict[str, Any]:
    done = process(*arguments, **environ)
    assert (0, "") == (done.returncode, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# -- output ------------------------------------------------------------------------------------


def test_answer_has_the_specified_format(pod: Emulator) -> None:
    found = answer("--role-arn", ROLE)
    assert (1, "123456789012") == (found["Version"], found["AccountId"])
    assert found["AccessKeyId"].startswith("ASIA")
    assert found["SecretAccessKey"]
    assert found["SessionToken"]
    life = datetime.fromisoformat(found["Expiration"].replace("Z", "+00:00")) - pod.clock()
    assert 3500 < life.total_seconds() <= 3600


def test_boto3_by_a_profile(pod: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    line = " ".join(command("credential-process", "--role-arn", ROLE))
    config.write_text(f"[profile etl]\ncredential_process = {line}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    sessions = [boto3.Session(profile_name="etl", region_name="us-east-1") for _ in range(2)]
    arns = [session.client("sts").get_caller_identity()["Arn"] for session in sessions]
    assert all("assumed-role/etl" in arn for arn in arns)
    assert 1 == len(exchanges(pod))


def exchanges(pod: Emulator) -> list[Any]:
    return [r for r in pod.sts.requests if r.action == "AssumeRoleWithWebIdentity"]


@pytest.mark.parametrize("where", ["option", "environment", "profile"])
def test_role_is_read_from_each_place(pod: Emulator, tmp_path: Path, where: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\n", encoding="utf-8")
    if where == "option":
        answer("--role-arn", ROLE)
    elif where == "environment":
        answer(GCP_AWS_BRIDGE_ROLE_ARN=ROLE)
    else:
        answer("--profile", "etl", AWS_CONFIG_FILE=str(config))
    assert 1 == len(pod.sts.requests)


def test_variables_of_a_shell(pod: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["env", "--role-arn", ROLE, "--shell", "json"])
    variables = json.loads(capsys.readouterr().out)
    assert 0 == main(["env", "--role-arn", ROLE, "--shell", "dotenv"])
    lines = capsys.readouterr().out.splitlines()
    assert [f"{name}={value}" for name, value in variables.items()] == lines
    arn = boto3.client(
        "sts",
        region_name="us-east-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    ).get_caller_identity()["Arn"]
    assert "assumed-role/etl" in arn


# -- errors ------------------------------------------------------------------------------------


def test_error_is_the_only_output_on_stderr(pod: Emulator) -> None:
    done = process("--role-arn", OTHER)
    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("gcp-aws-bridge: Assuming ")
    assert done.stderr.endswith("[exchange/denied]\n")


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        ((), "config/no-role"),
        (("--role-arn", "etl"), "config/role-arn"),
        (("--role-arn", ROLE, "--duration-seconds", "1"), "config/duration"),
        (("--role-arn", ROLE, "--chain", "x"), "config/role-arn"),
        (("--profile", "missing"), "config/profile"),
        (("--role-arn", ROLE, "--id-token-file", "/nowhere"), "token/file-missing"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("pod")
def test_a_bad_setting_is_a_clear_error(
    arguments: tuple[str, ...], error_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == main(["credential-process", *arguments])
    captured = capsys.readouterr()
    assert "" == captured.out
    assert captured.err.endswith(f"[{error_id}]\n")


def test_error_is_shown_by_boto3(
    pod: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    line = " ".join(command("credential-process", "--role-arn", OTHER))
    config.write_text(f"[profile etl]\ncredential_process = {line}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(CredentialRetrievalError, match=r"\[exchange/denied\]"):
        boto3.Session(profile_name="etl").client("sts", region_name="us-east-1")


@pytest.mark.parametrize(
    ("environ", "arguments", "error_id"),
    [
        ({}, ("--role-arn", OTHER), "exchange/denied"),
        ({}, ("--role-arn", ROLE, "--audience", "other"), "exchange/denied"),
        ({"GCE_METADATA_HOST": "127.0.0.1:1"}, ("--role-arn", ROLE), "token/none"),
        ({"GCE_METADATA_HOST": "a b"}, ("--role-arn", ROLE), "config/metadata-host"),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}, (), "exchange/unreachable"),
        ({"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:1"}, (), "exchange/unreachable"),
        ({"AWS_ENDPOINT_URL_STS": "http://sts.example"}, (), "config/sts-plain-http"),
        ({"AWS_CA_BUNDLE": "", "AWS_ENDPOINT_URL_STS": ""}, (), "config/sts-client"),
        ({"AWS_DEFAULT_REGION": "x y"}, (), "config/sts-client"),
        ({"AWS_PROFILE": "missing"}, (), "config/profile"),
        ({"GCP_AWS_BRIDGE_DURATION_SECONDS": "1h"}, (), "config/duration"),
        ({"GCP_AWS_BRIDGE_DURATION_SECONDS": "7"}, (), "config/duration"),
        ({"GCP_AWS_BRIDGE_AUDIENCE": "\t"}, ("--audience", "\t"), "config/audience"),
        ({"GCP_AWS_BRIDGE_ROLE_SESSION_NAME": "a/b"}, (), "config/session-name"),
        ({"GCP_AWS_BRIDGE_STS_REGIONS": "cn-north-1"}, (), "config/sts-regions"),
        ({"GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS": "x"}, (), "config/metadata-deadline"),
        ({"GCP_AWS_BRIDGE_ROLE_ARN": ""}, (), "config/no-role"),
        ({"GCP_AWS_BRIDGE_CHAIN": "x"}, (), "config/role-arn"),
        ({}, ("--role-arn", ROLE, "--id-token-file", "nowhere"), "token/file-missing"),
    ],
    ids=str,
)
@pytest.mark.parametrize("cache_folder", ["direct"], indirect=True)
@pytest.mark.usefixtures("journey", "cache_folder")
def test_both_kinds_of_exchange_have_the_same_errors(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    arguments: tuple[str, ...],
    error_id: str,
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    parser = argparse.ArgumentParser()
    credential_process.configure(parser)
    options = parser.parse_args([*arguments, "--no-cache"])
    world = registry.world._replace(jitter=lambda: 0.5)
    errors: list[BridgeError] = []
    for setting in (("UNUSED", ""), NEEDS_BOTOCORE):
        monkeypatch.setenv(*setting)
        with pytest.raises(BridgeError) as caught:
            _cached.credentials(options, world=world)
        errors.append(caught.value)
    texts = [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", str(error)) for error in errors]
    assert texts[0] == texts[1]
    assert type(errors[0]) is type(errors[1])
    assert error_id == errors[0].error_id
    assert errors[0].retryable == errors[1].retryable


# -- sharing -----------------------------------------------------------------------------------


def test_cached_answer_makes_no_request_and_imports_no_botocore(pod: Emulator) -> None:
    first = answer("--role-arn", ROLE)
    found, imported = answer_and_imports("--role-arn", ROLE)
    assert first == found
    assert set() == imported & {"botocore", "urllib3", "google", "ssl", "socket"}
    assert (1, 1) == (len(pod.metadata.requests), len(pod.sts.requests))


def answer_and_imports(*arguments: str) -> tuple[dict[str, Any], set[str]]:
    """Return the answer of a process, and the packages that it imported."""
    program = (
        "import json, sys; from gcp_aws_bridge.cli import main\n"
        f"main({['credential-process', *arguments]!r})\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout), set(json.loads(ran.stderr))


@pytest.mark.parametrize("where", ["option", "environment", "profile", "token file"])
def test_exchange_imports_botocore_only_where_a_setting_needs_it(
    pod: Emulator,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    where: str,
) -> None:
    arguments = ["--role-arn", ROLE]
    if where == "environment":
        arguments = []
        monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    elif where == "profile":
        arguments = ["--profile", "etl"]
        config = tmp_path / "config"
        config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\n", encoding="utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    elif where == "token file":
        arguments += ["--id-token-file", str(tmp_path / "token")]
        (tmp_path / "token").write_text(MetadataServer()(), encoding="utf-8")
    found, imported = answer_and_imports(*arguments)
    assert found["AccessKeyId"].startswith("ASIA")
    is_direct = "direct" in request.node.callspec.params.values()
    heavy = {"botocore", "urllib3", "google", "certifi", "http", "email", "logging", "random"}
    assert set() == imported & heavy if is_direct else "botocore" in imported


@pytest.mark.parametrize("arguments", [["--impersonate", "a@b.example"], ["--chain", OTHER]])
def test_other_exchanges_are_left_to_botocore(
    pod: Emulator, caplog: pytest.LogCaptureFixture, arguments: list[str]
) -> None:
    caplog.set_level(logging.DEBUG, "gcp_aws_bridge")
    main(["credential-process", "--role-arn", ROLE, *arguments])
    assert any("botocore makes the exchange, since " in text for text in caplog.messages)


MANY = pytest.mark.parametrize("number", [12, 50])


@pytest.mark.sampled(2)
@MANY
def test_simultaneous_processes_make_one_exchange(pod: Emulator, number: int) -> None:
    pod.sts.latency_s = 0.3
    started = [
        subprocess.Popen(command("credential-process", "--role-arn", ROLE), stdout=subprocess.PIPE)
        for _ in range(number)
    ]
    printed = {one.communicate(timeout=60)[0] for one in started}
    assert (1, 1, 1) == (len(printed), len(pod.metadata.requests), len(pod.sts.requests))


@pytest.mark.sampled(2)
@MANY
def test_simultaneous_processes_that_are_denied_make_one_exchange(
    pod: Emulator, number: int
) -> None:
    arguments = command("credential-process", "--role-arn", OTHER)
    started = [subprocess.Popen(arguments, stderr=subprocess.PIPE) for _ in range(number)]
    errors = [one.communicate(timeout=60)[1] for one in started]
    assert {1} == {one.returncode for one in started}
    assert all(b"[exchange/denied]" in one for one in errors)
    assert len(pod.sts.requests) <= 3  # an error is kept for one or two seconds


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_process_that_is_killed_during_its_exchange_blocks_no_other(
    pod: Emulator, cache_folder: Path
) -> None:
    pod.sts.inject(Fault.hang(20))
    with subprocess.Popen(command("credential-process", "--role-arn", ROLE)) as first:
        eventually(lambda: len(pod.sts.requests) == 1)
        first.send_signal(signal.SIGKILL)
    assert answer("--role-arn", ROLE)
    assert 2 == len(pod.sts.requests)
    assert {"lock"} == {path.name for path in cache_folder.iterdir() if not path.suffix}


def test_without_a_cache_every_call_is_an_exchange(pod: Emulator, cache_folder: Path) -> None:
    for _ in range(2):
        answer("--role-arn", ROLE, "--no-cache")
    assert 2 == len(pod.sts.requests)
    assert not cache_folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="folders of POSIX")
def test_command_works_without_a_writable_folder(pod: Emulator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file")
    environ = {"HOME": nowhere, "TMPDIR": nowhere, "XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": ""}
    keys = {
        answer("--role-arn", ROLE, GCP_AWS_BRIDGE_CACHE_DIR="", **environ)["AccessKeyId"]
        for _ in range(2)
    }
    assert (2, 2) == (len(keys), len(pod.sts.requests))


def test_corrupt_cache_file_is_ignored(pod: Emulator, cache_folder: Path) -> None:
    first = answer("--role-arn", ROLE)
    for path in cache_folder.glob("*.json"):
        path.write_text('{"key":', encoding="utf-8")
    assert first != answer("--role-arn", ROLE)
    assert 2 == len(pod.sts.requests)


# -- freshness ---------------------------------------------------------------------------------


@pytest.fixture
def ask(pod: Emulator, journey: Journey) -> Callable[[], str]:
    """Return a function that returns the key which a new process would print."""
    parser = argparse.ArgumentParser()
    credential_process.configure(parser)
    options = parser.parse_args(["--role-arn", ROLE])

    def asking() -> str:
        world = registry.world
        registry.clear()  # a new process has no cached credentials
        try:
            return _cached.credentials(options, world=world)["AccessKeyId"]
        finally:
            registry.world = world

    return asking


def test_credentials_are_refreshed_at_about_half_of_their_life(
    pod: Emulator, journey: Journey, ask: Callable[[], str]
) -> None:
    first = ask()
    journey.travel(minutes=20)
    assert first == ask()
    journey.travel(minutes=20)
    assert first != ask()
    assert 2 == len(pod.sts.requests)


def test_cached_credentials_are_returned_to_the_last_minute_of_an_outage(
    pod: Emulator, journey: Journey, ask: Callable[[], str]
) -> None:
    first = ask()
    journey.travel(minutes=40)
    pod.sts.inject(Fault.status(503), times=None)
    for _ in range(19):
        journey.travel(seconds=60)
        assert first == ask()
    assert len(pod.sts.requests) <= 1 + 19  # one attempt per process, with pauses between them
    journey.travel(seconds=60)
    with pytest.raises(ExchangeError):
        ask()
    pod.sts.clear_faults()
    journey.travel(seconds=15)
    assert first != ask()


def test_hanging_sts_delays_one_process_briefly(
    pod: Emulator, journey: Journey, ask: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask()
    journey.travel(minutes=40)
    pod.sts.inject(Fault.hang(20), times=None)
    monkeypatch.setattr("gcp_aws_bridge.cli._exchange._WAIT_WHILE_VALID_S", 0.3)
    assert [first, first, first] == [ask(), ask(), ask()]
    assert 2 == len(pod.sts.requests)


def test_other_processes_continue_while_one_refreshes(
    pod: Emulator, journey: Journey, ask: Callable[[], str], cache_folder: Path
) -> None:
    first = ask()
    journey.travel(minutes=40)
    [kept] = cache_folder.glob("*.json")
    program = (
        "import sys; from gcp_aws_bridge._cache.file_cache import FileCache\n"
        "with FileCache(sys.argv[1]).lock(sys.argv[2], wait_s=0):\n"
        "    print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(cache_folder), kept.stem],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert first == ask()
        other.communicate()
    assert 1 == len(pod.sts.requests)
    assert first != ask()


# -- the name of the cache file ------------------------------------------------------------------

SETTINGS = {"role_arn": ROLE}
ENVIRON = {"HOME": "/h"}


@pytest.mark.parametrize(
    ("settings", "environ"),
    [
        ({"role_arn": OTHER}, {}),
        ({**SETTINGS, "audience": "a"}, {}),
        ({**SETTINGS, "duration_seconds": 900}, {}),
        ({**SETTINGS, "chain": [OTHER]}, {}),
        ({**SETTINGS, "chain": [OTHER, ROLE]}, {}),
        ({**SETTINGS, "profile": "x"}, {}),
        ({**SETTINGS, "impersonate": "x"}, {}),
        (SETTINGS, {"GCP_AWS_BRIDGE_AUDIENCE": "x"}),
        (SETTINGS, {"GCE_METADATA_HOST": "127.0.0.1:1"}),
        (SETTINGS, {"GOOGLE_APPLICATION_CREDENTIALS": "x.json"}),
        (SETTINGS, {"CLOUDSDK_CONFIG": "/x"}),
        (SETTINGS, {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}),
        (SETTINGS, {"AWS_PROFILE": "x"}),
        (SETTINGS, {"HTTPS_PROXY": "http://127.0.0.1:1"}),
        (SETTINGS, {"https_proxy": "http://127.0.0.1:1"}),
        (SETTINGS, {"HOME": "/i"}),
    ],
    ids=str,
)
def test_every_setting_changes_the_cache_key(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    mine = _cached.request_key(SETTINGS, ENVIRON)
    assert mine != _cached.request_key(settings, {**ENVIRON, **environ})


@pytest.mark.parametrize("what", ["version", "host", "user"])
def test_other_version_host_or_user_has_another_cache_key(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    mine = _cached.request_key(SETTINGS, ENVIRON)
    if what == "version":
        monkeypatch.setattr(_cached, "__version__", "99")
    elif what == "host":
        monkeypatch.setattr(os, "uname", lambda: argparse.Namespace(nodename="another"))
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert mine != _cached.request_key(SETTINGS, ENVIRON)


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_changed_settings_file_changes_the_cache_key(tmp_path: Path, variable: str) -> None:
    file = tmp_path / "settings"
    environ = {**ENVIRON, variable: str(file)}
    keys = {_cached.request_key(SETTINGS, environ)}
    for content in ("one", "two and more"):
        file.write_text(content, encoding="utf-8")
        keys.add(_cached.request_key(SETTINGS, environ))
    assert 3 == len(keys)


def test_keys_in_the_environment_do_not_change_the_cache_key() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_SESSION_TOKEN": "z"}
    mine = _cached.request_key(SETTINGS, ENVIRON)
    assert mine == _cached.request_key(SETTINGS, {**ENVIRON, **keys, "PATH": "/elsewhere"})


class Recording(dict[str, str]):
    """An environment that records which variables are read."""

    def __init__(self, environ: Any) -> None:
        super().__init__(environ)
        self.recorded: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.recorded.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.recorded.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.recorded.add(str(name))
        return super().__contains__(name)


# Variables of the command line and of its cache folder; others have a comment with the reason.
NOT_IN_KEY = {*IRRELEVANT, "COLUMNS", "LINES", "LC_MESSAGES", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"}


def test_every_variable_that_an_exchange_reads_is_in_the_cache_key(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = Recording(os.environ)
    monkeypatch.setattr(os, "environ", recording)
    assert 0 == main(["credential-process", "--role-arn", ROLE])
    capsys.readouterr()
    read = recording.recorded - NOT_IN_KEY
    assert {"AWS_PROFILE", "GCE_METADATA_HOST", "AWS_ENDPOINT_URL_STS"} <= read
    deaf = [
        name
        for name in sorted(read)
        if _cached.request_key({}, {name: "1"}) == _cached.request_key({}, {name: "2"})
    ]
    assert [] == deaf
