"""What google-auth's transports do with the credentials: refused tokens, and the whole contract."""

from __future__ import annotations

import asyncio
import http.server
import inspect
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fakes import Journey
from google.auth import credentials as contract
from google.auth.transport.requests import AuthorizedSession, Request
from google.auth.transport.urllib3 import AuthorizedHttp

from gcp_aws_bridge import google
from gcp_aws_bridge.emulator import Fault

from .conftest import ACCOUNT, Workload

LOG = "gcp_aws_bridge"


def by_token(credentials: Any) -> str:
    return str(credentials.token)


def by_apply(credentials: Any) -> str:
    headers: dict[str, str] = {}
    credentials.apply(headers)
    return headers["authorization"].removeprefix("Bearer ")


def by_before_request(credentials: Any) -> str:
    headers: dict[str, str] = {}
    credentials.before_request(Request(), "GET", "https://storage.googleapis.com", headers)
    return headers["authorization"].removeprefix("Bearer ")


TAKE = [by_token, by_apply, by_before_request]


@pytest.fixture
def api(workload: Workload) -> Iterator[str]:
    """The address of a service that refuses tokens which Google does not know."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            token = self.headers["Authorization"].removeprefix("Bearer ")
            self.send_response(200 if workload.cloud.google_identity(token) else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("take", TAKE)
@pytest.mark.parametrize("thread", ["one", "another"])
def test_refresh_replaces_a_refused_token_however_it_was_taken(
    workload: Workload, take: Any, thread: str
) -> None:
    credentials = workload.credentials()
    credentials.refresh(Request())
    workload.cloud.revoke_google_token(take(credentials))
    if thread == "one":
        credentials.refresh(Request())
    else:
        with ThreadPoolExecutor(1) as others:
            others.submit(credentials.refresh, Request()).result(20)
    assert workload.cloud.google_identity(take(credentials)) is not None
    assert 2 == workload.asked[1]


def test_a_token_that_was_replaced_for_one_request_is_not_replaced_again_for_the_others(
    workload: Workload,
) -> None:
    """1,000 requests that were refused are one exchange."""
    credentials = workload.credentials()
    workload.cloud.revoke_google_token(by_apply(credentials))

    def refused(_: int) -> str:
        credentials.refresh(Request())
        return by_apply(credentials)

    with ThreadPoolExecutor(20) as threads:
        tokens = {*threads.map(refused, range(1000))}
    assert 1 == len(tokens)
    assert (1, 2) == workload.asked


def test_idle_credentials_report_that_their_token_expired(
    workload: Workload, journey: Journey
) -> None:
    """litellm reads nothing else to find out whether to call `refresh`."""
    credentials = workload.credentials()
    assert (False, False) == (credentials.valid, credentials.expired)  # as for google-auth's own
    first = by_before_request(credentials)
    assert (True, False) == (credentials.valid, credentials.expired)
    journey.travel(minutes=61)
    assert (False, True) == (credentials.valid, credentials.expired)
    credentials.refresh(Request())
    assert (True, False) == (credentials.valid, credentials.expired)
    assert first != credentials.token


def test_valid_followed_by_refresh_does_not_count_as_a_rejection(
    workload: Workload, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As google-auth's own code does with a token that is about to end."""
    credentials = workload.credentials()
    first = by_before_request(credentials)
    at = credentials.expiry - timedelta(minutes=2)
    with monkeypatch.context() as patch:
        patch.setattr("google.auth._helpers.utcnow", lambda: at)
        assert contract.TokenState.STALE == credentials.token_state
        assert (False, True) == (credentials.valid, credentials.expired)
        with caplog.at_level(logging.WARNING, LOG):
            for _ in range(3):
                credentials.refresh(Request())
    assert [] == caplog.records
    assert (first, (1, 1)) == (credentials.token, workload.asked)
    assert contract.TokenState.FRESH == credentials.token_state
    workload.cloud.revoke_google_token(first)
    credentials.refresh(Request())  # the first rejection that is reported
    assert first != credentials.token


def test_a_token_that_ends_soon_is_due_and_not_refused(
    workload: Workload, journey: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    body = '{"access_token": "ya29.short", "expires_in": 200, "token_type": "Bearer"}'
    workload.cloud.google_sts.inject(Fault.body(body))
    credentials = workload.credentials(service_account=None)
    by_apply(credentials)
    assert not credentials.valid
    with caplog.at_level(logging.WARNING, LOG):
        credentials.refresh(Request())
    assert [] == caplog.records
    assert (1, 0) == workload.asked


def test_nothing_valid_is_asked_for_once(workload: Workload) -> None:
    credentials = workload.credentials()
    for _ in range(2):
        assert contract.TokenState.INVALID == workload.credentials(scopes=["x"]).token_state
    credentials.refresh(Request())
    assert (1, 1) == workload.asked


# -- google-auth's own transports -----------------------------------------------------------------


@pytest.mark.sampled(4)
@pytest.mark.parametrize("width", [1, 20])
def test_the_asynchronous_session_retries_after_each_rejection(
    workload: Workload, journey: Journey, api: str, width: int
) -> None:
    """It asks in one thread and refreshes in another."""
    pytest.importorskip("aiohttp")
    sessions = pytest.importorskip("google.auth.aio.transport.sessions")
    if not hasattr(sessions, "_SyncCredentialsAdapter"):
        pytest.skip("this google-auth takes no synchronous credentials there")
    credentials = workload.credentials()

    async def statuses() -> list[int]:
        session, found = sessions.AsyncAuthorizedSession(credentials), []
        await asyncio.gather(*(session.get(api) for _ in range(width)))
        for _ in range(4):
            await session.get(api)
            workload.cloud.revoke_google_token(credentials.token)
            answers = await asyncio.gather(*(session.get(api) for _ in range(width)))
            found += [answer.status_code for answer in answers]
            # After the time in which rejections do not count; the keys of Lambda are valid.
            await asyncio.to_thread(journey.travel, seconds=2000)
            await session.get(api)
        await session.close()
        return found

    assert [200] * 4 * width == asyncio.run(statuses())


@pytest.mark.parametrize("library", ["requests", "urllib3"])
def test_the_synchronous_sessions_retry_after_each_rejection(
    workload: Workload, journey: Journey, api: str, library: str
) -> None:
    credentials = workload.credentials()
    requests, urllib3 = AuthorizedSession(credentials), AuthorizedHttp(credentials)

    def status() -> int:
        if library == "requests":
            return int(requests.get(api, timeout=20).status_code)
        return int(urllib3.request("GET", api).status)

    for _ in range(3):
        assert 200 == status()
        workload.cloud.revoke_google_token(credentials.token)
        assert 200 == status()
        journey.travel(seconds=2000)


def test_grpc_sends_a_valid_token_with_each_call(workload: Workload) -> None:
    grpc = pytest.importorskip("grpc")
    from google.auth.transport.grpc import AuthMetadataPlugin

    seen = []

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            seen.extend(value for name, value in details.invocation_metadata if name in KEYS)
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    KEYS = ("authorization", "x-goog-user-project")
    credentials = workload.credentials(quota_project_id="billed")
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, handlers=[Handler()])
        port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
        server.start()
        plugin = AuthMetadataPlugin(credentials, Request())
        both = grpc.composite_channel_credentials(
            grpc.local_channel_credentials(), grpc.metadata_call_credentials(plugin)
        )
        with grpc.secure_channel(f"127.0.0.1:{port}", both) as channel:
            assert b"x" == channel.unary_unary("/a.B/C")(b"x", timeout=20)
        server.stop(0).wait()
    assert {f"Bearer {credentials.token}", "billed"} == {*seen}


# -- the contract of its base classes -------------------------------------------------------------

ARGUMENTS: dict[str, Any] = {
    "apply": ({},),
    "before_request": (None, "GET", "https://storage.googleapis.com", {}),
    "has_scopes": (["x"],),
    "refresh": (None,),
    "sign_bytes": (b"a URL",),
    "with_quota_project": ("billed",),
    "with_scopes": (["x"],),
}


def kinds(workload: Workload) -> dict[str, Any]:
    return {
        "federated": workload.credentials(service_account=None),
        "of an account": workload.credentials(),
        "id token": google.id_token_credentials(
            "https://a.example", workload.provider.audience, service_account=ACCOUNT
        ),
    }


def public(credentials: Any) -> dict[str, Any]:
    """All public names of google-auth's classes that these credentials are of."""
    found = {}
    for each in type(credentials).__mro__:
        if each.__module__.startswith("google.auth"):
            found |= {name: getattr(each, name) for name in vars(each) if name[0] != "_"}
    return found


@pytest.mark.parametrize("kind", ["federated", "of an account", "id token"])
@pytest.mark.parametrize("state", ["none yet", "fresh", "stale", "expired"])
def test_every_public_name_of_google_auths_classes_works(
    workload: Workload, kind: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = kinds(workload)[kind]
    names = public(credentials)
    assert {"token_state", "with_quota_project", "expired"} <= names.keys()
    if state != "none yet":
        credentials.refresh(None)
        early = {"fresh": 30, "stale": 1, "expired": -1}[state]
        at = credentials.expiry - timedelta(minutes=early)
        monkeypatch.setattr("google.auth._helpers.utcnow", lambda: at)
    for name, member in names.items():
        value = getattr(credentials, name)  # of a property, that is all
        if inspect.isfunction(member):
            value(*ARGUMENTS.get(name, ()))


@pytest.mark.parametrize("kind", ["federated", "of an account", "id token"])
def test_the_constructors_attributes_are_all_there(workload: Workload, kind: str) -> None:
    """Which google-auth's methods read, of whatever class they are."""

    class Plain(contract.Credentials, contract.Scoped):  # type: ignore[misc]
        requires_scopes = False

        def __init__(self) -> None:
            super().__init__()
            contract.ReadOnlyScoped.__init__(self)

        def refresh(self, request: Any) -> None: ...

        def with_scopes(self, scopes: Any, default_scopes: Any = None) -> None: ...

    credentials = kinds(workload)[kind]
    scoped = {"_scopes", "_default_scopes"} if kind == "id token" else set()
    for name in vars(Plain()).keys() - scoped - {"token", "expiry"}:
        assert name in vars(credentials), name


def test_scopes_that_a_client_gives_by_default_are_not_the_users(workload: Workload) -> None:
    credentials = workload.credentials()
    assert credentials.default_scopes is None
    assert credentials.has_scopes(credentials.scopes)
    assert not credentials.has_scopes(["x"])
