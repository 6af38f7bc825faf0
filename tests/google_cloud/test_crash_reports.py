"""An exchange with Google that ends in any error at any step: nothing of it shows a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crash_reports
import pytest
from crash_reports import KINDS, Secrets

from gcp_aws_bridge import cli, google
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._traceback import without_frames
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenError

from .conftest import ROLE, Workload, needs_outbound

AUDIENCE = "https://orders.example"


@pytest.fixture
def secrets(emulator: Any) -> Iterator[Secrets]:
    """Asked for before `workload`, whose keys are secrets as well."""
    with crash_reports.written_down() as found:
        yield found


@pytest.fixture
def in_this_thread(secrets: Secrets, workload: Workload) -> Workload:
    registry.world = World(spawn=lambda work: work(), sleep=lambda seconds: None)
    return workload


def access(workload: Workload) -> Any:
    return workload.credentials()


def id_token(workload: Workload) -> Any:
    return google.id_token_credentials(
        AUDIENCE,
        workload.provider.audience,
        service_account=workload.credentials().service_account_email,
    )


def use(made: Any) -> None:
    made.before_request(None, "GET", AUDIENCE, {})


def sign(made: Any) -> None:
    made.sign_bytes(b"document")


WAYS: dict[str, tuple[Callable[[Workload], Any], Callable[[Any], None]]] = {
    "access token": (access, use),
    "ID token": (id_token, use),
    "signature": (access, sign),
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_step_that_fails_shows_a_secret(
    in_this_thread: Workload, secrets: Secrets, kind: Any, way: str
) -> None:
    make, ask = WAYS[way]

    def made_again() -> Any:
        registry.clear()
        return make(in_this_thread)

    ask(made_again())
    steps = crash_reports.steps(lambda: ask(made_again()))
    assert len(steps) > 100
    failures = 0
    for step in steps[KINDS.index(kind) % 3 :: 3]:  # every step fails in two or three ways
        made = made_again()
        error = crash_reports.failing_at(step, kind, lambda made=made: ask(made))  # type: ignore[misc]
        if error is not None:
            failures += 1
            assert [] == crash_reports.leaks(error, secrets), step
            assert not crash_reports.remembered(made._cache, secrets), step
    assert failures > 20


# Of connections that are opened and never closed, since the error comes first.
@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
def test_no_step_of_another_library_that_fails_shows_a_secret(
    in_this_thread: Workload, secrets: Secrets, way: str
) -> None:
    make, ask = WAYS[way]

    def of_others(path: str) -> bool:
        return any(f"/{name}/" in path for name in ("google", "requests", "urllib3", "json"))

    def made_again() -> Any:
        registry.clear()
        return make(in_this_thread)

    ask(made_again())
    steps = crash_reports.steps(lambda: ask(made_again()), of_others)
    assert len(steps) > 100
    for step in steps[:: len(steps) // 80]:
        made = made_again()
        error = crash_reports.failing_at(step, RuntimeError, lambda made=made: ask(made))  # type: ignore[misc]
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step
            assert not crash_reports.remembered(made._cache, secrets), step


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_no_step_of_making_credentials_that_fails_shows_a_key(
    in_this_thread: Workload, secrets: Secrets, kind: Any
) -> None:
    make = in_this_thread.credentials
    for step in crash_reports.steps(make):
        error = crash_reports.failing_at(step, kind, make)
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step


@pytest.mark.parametrize(
    "make", [google.credentials, lambda: google.credentials("x"), lambda: google.credentials(5)]
)
def test_no_setting_that_is_wrong_shows_a_key(
    in_this_thread: Workload, secrets: Secrets, make: Callable[[], object]
) -> None:
    error = crash_reports.raised(make)
    assert isinstance(error, ConfigError)
    assert [] == crash_reports.leaks(error, secrets)
    assert [] == crash_reports.reports(error, secrets)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_outbound_token_that_fails_shows_no_secret(
    in_this_thread: Workload, secrets: Secrets, kind: Any
) -> None:
    needs_outbound()
    cloud = in_this_thread.cloud
    cloud.enable_outbound_federation()
    cloud.allow(ROLE, "sts:GetWebIdentityToken")
    source = google.OutboundToken(audience="https://iam.example")

    def ask() -> None:
        source("//iam.example")

    ask()
    for step in crash_reports.steps(ask):
        error = crash_reports.failing_at(step, kind, ask)
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step


def oidc(cloud: Any) -> str:
    issuer = cloud._google
    return str(issuer.sign({"iss": issuer.url, "sub": "x", "aud": "y", "exp": 2_000_000_000}))


def test_a_source_of_the_users_own_that_raises_shows_no_token(
    in_this_thread: Workload, secrets: Secrets
) -> None:
    cloud = in_this_thread.cloud

    def source() -> str:
        token = oidc(cloud)
        raise OSError(f"cannot send {token}")

    made = in_this_thread.credentials(source=source)
    error = crash_reports.raised(lambda: use(made))
    assert error is not None
    assert secrets.texts
    assert [] == crash_reports.leaks(error, secrets)
    assert [] == crash_reports.reports(error, secrets)
    assert not crash_reports.remembered(made._cache, secrets)
    found = error.__cause__
    assert isinstance(found, TokenError)
    assert isinstance(found.__cause__, OSError)
    assert "cannot send [redacted]" == str(found.__cause__)


class Broken:
    """A transport of the user's own that raises with the request in its error."""

    def __init__(self, make: Callable[[Any], BaseException]) -> None:
        self._make = make

    def __call__(self, **asked: Any) -> Any:
        raise self._make(asked)


class Failed(Exception):
    def __init__(self, asked: Any) -> None:
        super().__init__(asked["url"])
        self.request = asked


@pytest.mark.parametrize(
    "make", [Failed, lambda asked: RuntimeError(asked), lambda asked: KeyError(asked["body"])]
)
def test_a_transport_that_raises_shows_no_secret(
    in_this_thread: Workload, secrets: Secrets, make: Callable[[Any], BaseException]
) -> None:
    made = in_this_thread.credentials(request=Broken(make))
    error = crash_reports.raised(lambda: use(made))
    assert error is not None
    assert [] == crash_reports.leaks(error, secrets)
    assert [] == crash_reports.reports(error, secrets)
    assert not crash_reports.remembered(made._cache, secrets)
    text = str(error.__cause__.__cause__ if error.__cause__ else "")
    assert "Signature=" not in text.replace("Signature=[redacted]", "")
    assert isinstance(error.__cause__, ExchangeError)


@pytest.mark.parametrize("headers", [None, 5, ()])
def test_headers_that_take_no_token_do_not_show_it(
    in_this_thread: Workload, secrets: Secrets, headers: Any
) -> None:
    made = in_this_thread.credentials()
    for ask in (made.apply, lambda given: made.before_request(None, "GET", AUDIENCE, given)):
        error = crash_reports.raised(lambda ask=ask: ask(headers))  # type: ignore[misc]
        assert isinstance(error, (TypeError, AttributeError))
        assert [] == crash_reports.leaks(error, secrets)


def test_a_token_file_that_is_looked_at_shows_no_token(
    in_this_thread: Workload,
    secrets: Secrets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "token"
    path.write_text(oidc(in_this_thread.cloud), encoding="ascii")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    steps = crash_reports.steps(in_this_thread.credentials)
    assert any("_is_for" == step.code.co_name for step in steps)
    for step in steps:
        error = crash_reports.failing_at(step, MemoryError, in_this_thread.credentials)
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step


@pytest.mark.parametrize("kind", [MemoryError, SystemExit], ids=lambda kind: kind.__name__)
def test_the_command_that_prints_a_token_shows_none_otherwise(
    in_this_thread: Workload, secrets: Secrets, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["google-token", "--audience", in_this_thread.provider.audience]

    def run() -> None:
        registry.clear()
        assert 0 == cli.main(command)

    steps = crash_reports.steps(run)
    for step in steps[::2]:
        error = crash_reports.failing_at(step, kind, run)
        if error is not None:
            assert [] == crash_reports.leaks(error, secrets), step
        capsys.readouterr()


def test_a_task_that_waits_gets_an_error_without_secrets(
    secrets: Secrets, workload: Workload
) -> None:
    made = workload.credentials(request=Broken(Failed))

    async def main() -> list[Any]:
        waiting = [asyncio.ensure_future(made._cache.get_async()) for _ in range(3)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    for error in asyncio.run(main()):
        assert isinstance(error, ExchangeError)
        assert [] == crash_reports.leaks(error, secrets)


def test_a_signed_request_in_an_error_is_redacted(secrets: Secrets, workload: Workload) -> None:
    subject = google.SignedRequest()(workload.provider.audience)
    assert subject.value not in repr(subject)
    signature = subject.value.partition("Signature%3D")[2][:64]
    assert 64 == len(signature)
    shown = str(without_frames(RuntimeError(subject.value)))
    assert not secrets.in_text(shown)
    assert signature not in shown
