"""Errors that leave the library show no secret, whatever the error and the step of the exchange."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session
import crash_reports
import pytest
from botocore.exceptions import CredentialRetrievalError
from crash_reports import KINDS, Secrets

import gcp_aws_bridge as bridge
from gcp_aws_bridge import cli
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenError
from gcp_aws_bridge.server.asgi import application
from gcp_aws_bridge.server.authorization import Authorization
from gcp_aws_bridge.server.endpoint import PATH, endpoint
from gcp_aws_bridge.server.running import Address, running

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::210987654321:role/target"


@pytest.fixture
def secrets(pod: Emulator) -> Iterator[Secrets]:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.add_role(TARGET, {"Version": "2012-10-17", "Statement": [statement]})
    pod.allow(ROLE, "sts:AssumeRole", on=TARGET)
    with crash_reports.written_down() as found:
        yield found


@pytest.fixture
def in_this_thread(pod: Emulator) -> None:
    """Run exchanges in the calling thread, where they can be traced, without pauses."""
    registry.world = World(spawn=lambda work: work(), sleep=lambda seconds: None)


def new_credentials() -> Any:
    registry.clear()
    return bridge.credentials(ROLE, chain=[TARGET])


def ask(made: Any) -> Callable[[], Any]:
    return lambda: made.get_frozen_credentials()


def exchange_again() -> None:
    new_credentials().get_frozen_credentials()


PARTS = 5  # of the steps, so that the selection can have one of them


@pytest.mark.sampled(8 * PARTS)
@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("part", range(PARTS))
def test_exchange_that_fails_at_any_step_shows_no_secret(
    secrets: Secrets, part: int, kind: Any
) -> None:
    exchange_again()  # everything that is imported once is imported now
    steps = crash_reports.steps(exchange_again)
    assert len(steps) > 150
    failures = 0
    for step in steps[part::PARTS]:
        made = new_credentials()
        error = crash_reports.failing_at(step, kind, ask(made))
        if error is not None:
            failures += 1
            assert [] == crash_reports.leaks(error, secrets), step
            assert not crash_reports.remembered(made._cache, secrets), step
    assert failures > 50 / PARTS


async def read_parts_as_a_task() -> None:
    pytest.importorskip("aiobotocore")
    from gcp_aws_bridge import aio

    made = aio.credentials(ROLE)
    await made.get_access_key()
    await made.get_secret_key()


def read_parts() -> None:
    made = bridge.credentials(ROLE)
    assert made.access_key
    assert made.secret_key


# Warnings about coroutines that an interrupted event loop leaves.
@pytest.mark.sampled(5)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize(
    "read", [read_parts, lambda: asyncio.run(read_parts_as_a_task())], ids=["sync", "async"]
)
@pytest.mark.parametrize("kind", [MemoryError, KeyboardInterrupt])
def test_reading_parts_that_fails_at_any_step_shows_no_secret(
    secrets: Secrets, read: Callable[[], None], kind: Any
) -> None:
    def of_the_parts(path: str) -> bool:
        return Path(path).parts[-2:] in (
            ("_botocore", "aiobotocore.py"),
            ("_botocore", "credentials.py"),
        )

    read()
    registry.clear()  # the next read starts a new set
    steps = crash_reports.steps(read, of_the_parts)
    assert len(steps) > 15
    for step in steps:
        registry.clear()
        error = crash_reports.failing_at(step, kind, read)
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step


# Warnings about connections that are never closed, since the error comes first.
@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("in_this_thread")
def test_other_library_that_fails_at_any_step_shows_no_secret(secrets: Secrets) -> None:
    def of_others(path: str) -> bool:
        return any(f"/{name}/" in path for name in ("botocore", "urllib3", "json", "http"))

    exchange_again()
    steps = crash_reports.steps(exchange_again, of_others)
    assert len(steps) > 300
    for step in steps[:: len(steps) // 150]:
        made = new_credentials()
        error = crash_reports.failing_at(step, RuntimeError, ask(made))
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step
            assert not crash_reports.remembered(made._cache, secrets), step


# -- making sessions and credentials -----------------------------------------------------------

FOUND = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def keys_around(secrets: Secrets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Secrets:
    """Set the user's own AWS keys in the environment and in the profile."""
    config = tmp_path / "config"
    config.write_text(
        f"[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {FOUND}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", FOUND)
    secrets.texts.append(FOUND)
    return secrets


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "make",
    [
        lambda: bridge.session(ROLE),
        lambda: bridge.credentials(ROLE, chain=[TARGET]),
        lambda: bridge.register(botocore.session.get_session(), ROLE),
    ],
    ids=["session", "credentials", "register"],
)
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_session_that_fails_at_any_step_shows_no_key(
    keys_around: Secrets, make: Callable[[], object], kind: Any
) -> None:
    make()
    for step in crash_reports.steps(make)[::3]:
        registry.clear()
        error = crash_reports.failing_at(step, kind, make)
        if error is not None:
            assert [] == crash_reports.leaks(error, keys_around), step


@pytest.mark.parametrize(
    "make",
    [
        lambda: bridge.session("no ARN"),
        lambda: bridge.credentials(),
        lambda: bridge.credentials(ROLE, token_source=5),  # type: ignore[arg-type]
        lambda: bridge.credentials(ROLE, duration_seconds=1),
    ],
)
def test_error_for_a_wrong_setting_shows_no_key(
    keys_around: Secrets, make: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = crash_reports.raised(make)
    assert isinstance(error, ConfigError)
    assert [] == crash_reports.leaks(error, keys_around)
    assert [] == crash_reports.reports(error, keys_around)


# -- code of the user ----------------------------------------------------------------------------

WITH_FIELDS = "the answer had {}"


class Refused(Exception):
    """An error with an answer as attribute, like those of HTTP libraries."""

    def __init__(self, token: str) -> None:
        super().__init__(WITH_FIELDS.format(token))
        self.response = {"headers": {"authorization": f"Bearer {token}"}}
        self.request = lambda: token


def plain(token: str) -> BaseException:
    return RuntimeError("apm")


def with_token_in_text(token: str) -> BaseException:
    return RuntimeError(f"bad token {token}")


def with_cause(token: str) -> BaseException:
    made = OSError("outer")
    made.__cause__, made.__context__ = Refused(token), ValueError(token)
    made.__suppress_context__ = False
    return made


def not_json(token: str) -> BaseException:
    found = crash_reports.raised(lambda: json.loads(token))
    assert found is not None
    return found


def not_text(token: str) -> BaseException:
    found = crash_reports.raised(lambda: (token.encode() + b"\xff").decode())
    assert found is not None
    return found


def of_a_key(token: str) -> BaseException:
    return KeyError(token)


ERRORS = [plain, with_token_in_text, Refused, with_cause, not_json, not_text, of_a_key]


def source_that_raises(make: Callable[[str], BaseException]) -> Callable[[], str]:
    def source() -> str:
        token = bridge.MetadataServer(audience="sts.amazonaws.com")()
        raise make(token)

    return source


def hooked(event: str, hook: Callable[..., None]) -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register(event, hook)
    return session


def assert_shows_nothing(error: BaseException | None, made: Any, secrets: Secrets) -> None:
    assert error is not None
    assert secrets.texts
    assert [] == crash_reports.leaks(error, secrets)
    assert [] == crash_reports.reports(error, secrets)
    assert not crash_reports.remembered(made._cache, secrets)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("make", ERRORS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("inline", [True, False], ids=["here", "in a thread"])
def test_token_source_that_raises_shows_no_token(
    secrets: Secrets, make: Callable[[str], BaseException], inline: bool
) -> None:
    if inline:
        registry.world = World(spawn=lambda work: work())
    registry.world = registry.world._replace(sleep=lambda seconds: None)
    made = bridge.credentials(ROLE, token_source=source_that_raises(make))
    error = crash_reports.raised(made.get_frozen_credentials)
    assert_shows_nothing(error, made, secrets)
    assert isinstance(error, CredentialRetrievalError)
    cause = error.__cause__
    assert isinstance(cause, TokenError)
    assert "token/source-raised" == cause.error_id
    wanted = make("x.y.z")
    assert isinstance(cause.__cause__, type(wanted))
    assert type(wanted).__name__ == type(cause.__cause__).__name__
    if make is plain:
        assert "apm" == str(cause.__cause__)
        if sys.version_info >= (3, 11):
            assert "in source" in cause.__cause__.__notes__[0]
    if make is with_cause:
        inner = cause.__cause__.__cause__
        assert isinstance(inner, Refused)
        assert WITH_FIELDS.format("[redacted]") == str(inner)


@pytest.mark.exhaustive
@pytest.mark.parametrize("event", ["before-parameter-build", "before-send", "before-parse"])
@pytest.mark.parametrize("name", ["AssumeRoleWithWebIdentity", "AssumeRole"])
def test_a_hook_that_raises_shows_no_secret(secrets: Secrets, event: str, name: str) -> None:
    def hook(**_: Any) -> None:
        raise RuntimeError("apm")

    session = hooked(f"{event}.sts.{name}", hook)
    made = bridge.credentials(ROLE, chain=[TARGET], botocore_session=session)
    error = crash_reports.raised(made.get_frozen_credentials)
    assert_shows_nothing(error, made, secrets)
    assert error is not None
    assert isinstance(error.__cause__, ExchangeError)
    assert "exchange/unexpected" == error.__cause__.error_id
    assert RuntimeError is type(error.__cause__.__cause__)
    assert "apm" == str(error.__cause__.__cause__)


def test_a_hook_that_puts_the_answer_into_its_error_shows_no_secret(secrets: Secrets) -> None:
    def hook(parsed: dict[str, Any], **_: Any) -> None:
        if "Credentials" in parsed:
            keys = parsed["Credentials"]
            error = Refused(f"{keys['SecretAccessKey']} and {keys['SessionToken']}")
            error.keys = keys  # type: ignore[attr-defined]
            raise error from KeyError(keys["SecretAccessKey"])

    made = bridge.credentials(ROLE, botocore_session=hooked("after-call.sts", hook))
    error = crash_reports.raised(made.get_frozen_credentials)
    assert_shows_nothing(error, made, secrets)
    assert error is not None
    found = error.__cause__ and error.__cause__.__cause__
    assert "the answer had [redacted] and [redacted]" == str(found)


def test_error_that_the_caller_handles_is_unchanged(secrets: Secrets) -> None:
    registry.world = World(spawn=lambda work: work())
    made = bridge.credentials(ROLE, token_source=source_that_raises(plain))
    users = Refused("users")
    found: BaseException | None = None
    try:
        raise users
    except Refused:
        before = users.__traceback__
        found = crash_reports.raised(made.get_frozen_credentials)
    assert found is not None
    assert before is users.__traceback__
    assert any(one is users for one in crash_reports.chain(found))
    assert {"headers": {"authorization": "Bearer users"}} == users.response


# -- other paths of an error ---------------------------------------------------------------------


INTERRUPTS = [KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("kind", INTERRUPTS)
def test_a_caller_that_is_interrupted_shows_no_secret(
    secrets: Secrets, kind: type[BaseException]
) -> None:
    made = bridge.credentials(ROLE, botocore_session=hooked("after-call.sts", raising(kind)))
    error = crash_reports.raised(made.get_frozen_credentials)
    assert_shows_nothing(error, made, secrets)
    assert kind is type(error)


@pytest.mark.parametrize("kind", [*INTERRUPTS, RuntimeError])
def test_a_thread_that_is_interrupted_shows_no_secret(
    secrets: Secrets, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_value))
    made = bridge.credentials(ROLE, botocore_session=hooked("after-call.sts", raising(kind)))
    assert not made._cache.warm_up(within_s=30)
    error = made._cache.memory.failure and made._cache.memory.failure.error
    assert_shows_nothing(error, made, secrets)
    assert error is not None
    assert isinstance(error.__cause__, kind)
    assert [] == [leak for one in seen for leak in crash_reports.leaks(one, secrets)]


def raising(kind: type[BaseException]) -> Callable[..., None]:
    def hook(parsed: dict[str, Any], **_: Any) -> None:
        raise kind("apm")

    return hook


def test_a_task_that_waits_gets_an_error_without_secrets(secrets: Secrets) -> None:
    made = bridge.credentials(ROLE, token_source=source_that_raises(with_cause))
    loop_saw: list[Any] = []

    async def main() -> list[BaseException | Any]:
        asyncio.get_running_loop().set_exception_handler(lambda _, seen: loop_saw.append(seen))
        waiting = [asyncio.ensure_future(made._cache.get_async()) for _ in range(3)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    for error in asyncio.run(main()):
        assert isinstance(error, TokenError)
        assert_shows_nothing(error, made, secrets)
    assert not secrets.in_text(str(loop_saw))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_token_source_called_by_the_user_shows_no_token(secrets: Secrets, kind: Any) -> None:
    for source in (bridge.MetadataServer(), bridge.DefaultSource()):
        for step in crash_reports.steps(source):
            error = crash_reports.failing_at(step, kind, source)
            if error is not None:
                assert [] == crash_reports.leaks(error, secrets), step


def test_token_file_with_a_broken_token_shows_no_part_of_it(
    secrets: Secrets, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_bytes(bridge.MetadataServer()().encode() + b"\xff")
    error = crash_reports.raised(bridge.TokenFile(path))
    assert isinstance(error, TokenError)
    assert [] == crash_reports.leaks(error, secrets)
    made = bridge.credentials(ROLE, token_source=bridge.TokenFile(path))
    assert_shows_nothing(crash_reports.raised(made.get_frozen_credentials), made, secrets)


# -- the command line and the servers ----------------------------------------------------------


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "command",
    [
        ["token"],
        ["env", "--no-cache", "--role-arn", ROLE],
        ["credential-process", "--no-cache", "--role-arn", ROLE],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("kind", [MemoryError, SystemExit], ids=lambda kind: kind.__name__)
def test_a_command_that_fails_shows_no_secret(
    secrets: Secrets, kind: Any, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.world = World(spawn=lambda work: work())

    def run() -> None:
        registry.clear()
        assert 0 == cli.main(command)

    steps = crash_reports.steps(run)
    capsys.readouterr()
    shown = 0
    for step in steps[::3]:
        error = crash_reports.failing_at(step, kind, run)
        if error is not None:
            shown += 1
            assert [] == crash_reports.leaks(error, secrets), step
        capsys.readouterr()
    assert shown > 5


def served(handle: Any) -> Any:
    return running((Address("127.0.0.1", 0), application(handle)))


def get(url: str, authorization: Authorization) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", PATH, headers={"Authorization": authorization.token})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_server_that_fails_answers_500_and_logs_no_secret(
    secrets: Secrets, where: str, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    from gcp_aws_bridge.server import endpoint as module

    real = module.aws_json

    def fails(credentials: Any) -> Any:
        answer = real(credentials) if where == "after" else None
        raise RuntimeError(f"apm {answer}")

    monkeypatch.setattr(module, "aws_json", fails)
    request = Request.of(ROLE)
    authorization = Authorization()
    secrets.texts.append(authorization.token)
    handle = endpoint({"etl": request.cache()}, authorization)
    with served(handle) as [url]:
        status, body = get(url, authorization)
    assert 500 == status
    assert not secrets.in_text(body)
    records = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert 1 == len(records)
    assert "RuntimeError" in records[0].getMessage()
    for record in caplog.records:
        assert not secrets.in_text(str(vars(record)))
        if record.exc_info and record.exc_info[1]:
            assert [] == crash_reports.leaks(record.exc_info[1], secrets)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, asyncio.CancelledError])
def test_an_answer_that_cannot_be_sent_shows_no_secret(
    secrets: Secrets, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    request = Request.of(ROLE)
    authorization = Authorization()
    secrets.texts.append(authorization.token)
    app = application(endpoint({"etl": request.cache()}, authorization))
    headers = [(b"authorization", authorization.token.encode()), (b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": PATH, "headers": headers}

    async def send(message: Any) -> None:
        raise kind("closed")

    def answered() -> None:
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(app({**scope, "query_string": b""}, send, send))  # type: ignore[arg-type]

    error = crash_reports.raised(partial(answered))
    assert not secrets.in_text(caplog.text)
    if kind is RuntimeError:
        assert error is None
        assert "could not be sent: RuntimeError" in caplog.text
    else:
        assert isinstance(error, kind)
        ours = [one for one in traceback.walk_tb(error.__traceback__) if "asgi" in str(one[0])]
        assert ours
        for frame, _ in ours:
            assert not secrets.in_text(crash_reports._walked(frame.f_locals))


# -- Sentry with its default settings, in its own process ----------------------------------------


@pytest.mark.sampled(4)
@pytest.mark.parametrize("mode", ["source", "hook", "interrupt", "values"])
def test_sentry_with_its_defaults_sends_no_secret(
    secrets: Secrets, pod: Emulator, mode: str
) -> None:
    pytest.importorskip("sentry_sdk")
    program = Path(__file__).parent / "programs" / "sentry_defaults.py"
    done = subprocess.run(
        [sys.executable, str(program), mode, ROLE], capture_output=True, check=False, text=True
    )
    assert (0, "") == (done.returncode, done.stderr)
    events = done.stdout
    assert "RuntimeError" in events or "KeyboardInterrupt" in events or "LookupError" in events
    assert secrets.texts
    assert not secrets.in_text(events)


@pytest.mark.exhaustive
def test_sentry_without_local_variables_sends_no_frozen_credentials(
    secrets: Secrets, pod: Emulator
) -> None:
    pytest.importorskip("sentry_sdk")
    program = Path(__file__).parent / "programs" / "sentry_defaults.py"
    shown = []
    for setting in ("defaults", "without-locals"):
        done = subprocess.run(
            [sys.executable, str(program), f"botocore-{setting}", ROLE],
            capture_output=True,
            check=True,
            text=True,
        )
        assert "LookupError" in done.stdout
        shown.append(secrets.in_text(done.stdout))
    assert [True, False] == shown  # the security page recommends this setting
