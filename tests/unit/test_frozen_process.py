"""A process that is frozen (SIGSTOP, a laptop asleep) during a refresh reports no outage."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
from fakes import START, Fetches, ManualWorld, eventually
from unit.servers import AUDIENCE, ROLE_ARN, Server, answer, id_token

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.events import Event, on_event
from gcp_aws_bridge._cache.workers import Workers
from gcp_aws_bridge._sts import calls
from gcp_aws_bridge._sts.client import Sts
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens import bounded_reader, http
from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge.config import Role

TOKEN = id_token()
ROLE = Role(ROLE_ARN)
HOWS = pytest.mark.parametrize(
    "ask",
    [lambda cache: cache.get(), lambda cache: asyncio.run(cache.get_async())],
    ids=["get", "async"],
)


# -- the credential cache ----------------------------------------------------------------------


@pytest.fixture
def manual() -> ManualWorld:
    return ManualWorld()


@pytest.fixture
def answer_now() -> threading.Event:
    """When it is set, the refresh that is under way gets its answer."""
    return threading.Event()


@pytest.fixture
def refreshing(
    manual: ManualWorld, answer_now: threading.Event
) -> Iterator[CredentialCache[AwsCredentials]]:
    """Valid credentials, and a refresh in the background that waits for its answer."""
    fetches, begun = Fetches(manual), threading.Event()

    def fetch() -> AwsCredentials:
        if fetches.count:
            begun.set()
            assert answer_now.wait(30)
        return fetches()

    world = manual.world._replace(spawn=REAL.spawn)
    cache = CredentialCache(fetch, label=ROLE_ARN, world=world)
    cache._workers = Workers(world)
    cache.get()
    manual.advance(40 * 60)
    cache.get()
    assert begun.wait(30)
    yield cache
    answer_now.set()
    eventually(lambda: cache.snapshot.attempt is None and not cache.snapshot.unfinished)


@pytest.fixture
def events() -> Any:
    found: list[Event] = []
    stop = on_event(found.append)
    yield found
    stop()


@HOWS
@pytest.mark.parametrize("frozen_s", [91.0, 600.0])
def test_refresh_that_a_freeze_interrupted_is_reported_as_no_outage(
    refreshing: CredentialCache[Any],
    manual: ManualWorld,
    answer_now: threading.Event,
    events: list[Event],
    caplog: pytest.LogCaptureFixture,
    ask: Callable[[CredentialCache[Any]], Any],
    frozen_s: float,
) -> None:
    old = ask(refreshing)
    manual.advance(frozen_s)
    with caplog.at_level(logging.DEBUG, "gcp_aws_bridge"):
        assert old is ask(refreshing)
        assert [] == events
        answer_now.set()
        eventually(lambda: refreshing.snapshot.attempt is None and bool(events))
    assert ["exchanged"] == [event.kind for event in events]
    assert [] == [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert old is not ask(refreshing)


@HOWS
def test_refresh_that_hangs_after_a_freeze_is_reported_three_seconds_later(
    refreshing: CredentialCache[Any],
    manual: ManualWorld,
    events: list[Event],
    ask: Callable[[CredentialCache[Any]], Any],
) -> None:
    manual.advance(600)
    ask(refreshing)
    manual.advance(2.9)
    ask(refreshing)
    assert [] == events
    manual.advance(0.2)
    ask(refreshing)
    assert ["failed"] == [event.kind for event in events]


def test_caller_whose_credentials_expired_during_a_freeze_makes_an_exchange(
    manual: ManualWorld, answer_now: threading.Event, events: list[Event]
) -> None:
    """Cloud Run with request-based billing: no CPU between two requests, in a refresh."""
    fetches, begun, calls = Fetches(manual), threading.Event(), itertools.count()

    def fetch() -> AwsCredentials:
        if next(calls) == 1:
            begun.set()
            assert answer_now.wait(30)
        return fetches()

    cache = CredentialCache(fetch, label=ROLE_ARN, world=manual.world._replace(spawn=REAL.spawn))
    old = cache.get()
    manual.advance(40 * 60)
    assert old is cache.get()
    assert begun.wait(30)
    manual.advance(2 * 3600)
    new = cache.get()
    assert new.expiration > manual.now > old.expiration
    assert ["exchanged"] * 2 == [event.kind for event in events]
    answer_now.set()
    eventually(lambda: not cache.snapshot.unfinished)
    assert "failed" not in [event.kind for event in events]


def test_refresh_that_hangs_while_callers_come_is_reported_after_90_s(
    refreshing: CredentialCache[Any], manual: ManualWorld, events: list[Event]
) -> None:
    for _ in range(89):
        manual.advance(1)
        refreshing.get()
    assert [] == events
    manual.advance(1)
    refreshing.get()
    assert ["failed"] == [event.kind for event in events]


def test_freeze_extends_an_attempt_once(
    refreshing: CredentialCache[Any], manual: ManualWorld, events: list[Event]
) -> None:
    manual.advance(300)
    refreshing.get()
    manual.advance(100)
    refreshing.get()
    assert ["failed"] == [event.kind for event in events]


# -- STS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monotonic_s", "wall_s", "requests"),
    [(60, 60, 2), (0, 3600, 2), (60, 0, 2), (30, 30, 1), (0, 0, 1)],
    ids=["frozen", "asleep", "clock set back", "slow", "at once"],
)
def test_network_fault_after_a_freeze_is_retried_at_once(
    monkeypatch: pytest.MonkeyPatch, monotonic_s: float, wall_s: float, requests: int
) -> None:
    seconds, now, requested = [0.0], [START], []
    world = World(clock=lambda: now[0], monotonic=lambda: seconds[0])
    monkeypatch.setattr(calls, "REAL", world)

    def ask() -> str:
        requested.append(1)
        if len(requested) == 2:
            return "answered"
        seconds[0] += monotonic_s
        now[0] += timedelta(seconds=wall_s)
        raise botocore.exceptions.ConnectionClosedError(endpoint_url="https://sts")

    if requests == 1:
        with pytest.raises(botocore.exceptions.ConnectionClosedError):
            calls._awake(ask)
    else:
        assert "answered" == calls._awake(ask)
    assert requests == len(requested)


def test_network_fault_that_remains_after_a_freeze_is_retried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter(range(0, 1000, 60))
    monkeypatch.setattr(calls, "REAL", World(monotonic=lambda: float(next(seconds))))
    requested = []

    def ask() -> None:
        requested.append(1)
        raise botocore.exceptions.ConnectTimeoutError(endpoint_url="https://sts")

    with pytest.raises(botocore.exceptions.ConnectTimeoutError):
        calls._awake(ask)
    assert 2 == len(requested)


RESULT = f"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>wholly-secret</SecretAccessKey>
<SessionToken>session-token</SessionToken>
<Expiration>{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


def test_answer_that_came_while_the_process_was_frozen_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = iter([0.0])  # the answer begins; each later reading is a minute later
    world = World(monotonic=lambda: next(late, 60.0))
    with Server(answer(RESULT, flavor=None)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        sts = Sts(botocore.session.Session(), "us-east-1")
        monkeypatch.setattr(bounded_reader, "REAL", world)
        token = _id_token.parse(TOKEN, origin="test")
        assert "ASIAX" == sts.assume_role_with_web_identity(token, ROLE).access_key_id


# -- the metadata server -----------------------------------------------------------------------


def test_metadata_answer_that_came_while_the_process_was_frozen_is_read() -> None:
    seconds = [0.0]

    def reply(connection: socket.socket) -> None:
        connection.sendall(answer(TOKEN))
        seconds[0] = 60.0

    with Server(reply) as server:
        found = http.get(
            server.host, "/", {}, timeout_s=5.0, monotonic=lambda: seconds[0], method="GET"
        )
    assert TOKEN == found.body


def test_freeze_in_any_attempt_does_not_count_as_waiting(
    monkeypatch: pytest.MonkeyPatch, manual: ManualWorld
) -> None:
    def frozen(connection: socket.socket) -> None:
        manual.advance(300)  # and the server has closed the connection

    with Server(answer("starting", 503), frozen, answer(TOKEN)) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        assert TOKEN == MetadataServer(AUDIENCE, deadline_s=20, world=manual.world)()
        assert 3 == len(server.requests)
