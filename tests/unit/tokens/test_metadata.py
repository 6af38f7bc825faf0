"""The metadata server's token, over real HTTP on loopback; only time is made up."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fakes import START, ManualWorld
from unit.servers import AUDIENCE, ROLE_ARN, Reply, Server, answer, drip, failure, id_token

from gcp_aws_bridge._tokens import http as _http
from gcp_aws_bridge._tokens import metadata as _metadata
from gcp_aws_bridge._tokens.bound import bound_source
from gcp_aws_bridge._tokens.default import DefaultSource
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable

TOKEN = id_token()
PATH = "/computeMetadata/v1/instance/service-accounts/{}/identity?audience={}&format=full"
Serve = Callable[..., Server]


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Every connection that the client makes."""
    made: list[socket.socket] = []

    class Noted(_http._BoundedSocket):
        def __init__(self, *settings: int) -> None:
            super().__init__(*settings)
            made.append(self)

    monkeypatch.setattr(_http, "_BoundedSocket", Noted)
    yield made
    for left_open in made:
        if (number := left_open.detach()) >= 0:
            os.close(number)


@pytest.fixture
def started() -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def serve(
    monkeypatch: pytest.MonkeyPatch, started: list[Server], sockets: list[socket.socket]
) -> Serve:
    """Start a metadata server with these replies and point `GCE_METADATA_HOST` to it."""

    def start(*replies: Reply, **settings: Any) -> Server:
        server = Server(*replies, **settings).__enter__()
        started.append(server)
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        return server

    return start


@pytest.fixture
def manual() -> ManualWorld:
    return ManualWorld(jitter=1.0)


@pytest.fixture
def source(manual: ManualWorld) -> MetadataServer:
    """One that gives up after three tries, without waiting in reality."""
    return MetadataServer(deadline_s=0.5, world=manual.world)


def unavailable(source: MetadataServer, error_id: str, *seen: str) -> TokenUnavailable:
    error = failure(TokenUnavailable, error_id, source, seen=seen, secrets=TOKEN.split("."))
    assert isinstance(error, TokenUnavailable)
    return error


def refused(source: MetadataServer, error_id: str, *seen: str) -> TokenError:
    error = failure(TokenError, error_id, source, seen=seen, secrets=TOKEN.split("."))
    assert isinstance(error, TokenError)
    return error


# -- the request -------------------------------------------------------------------------------


def test_a_token_costs_one_request(serve: Serve, source: MetadataServer) -> None:
    server = serve(answer(TOKEN))
    assert TOKEN == source()
    (request,) = server.requests
    assert ("GET", PATH.format("default", AUDIENCE), "") == (
        request.method,
        request.path,
        request.body,
    )
    assert "Google" == request.headers["metadata-flavor"]
    assert server.host == request.headers["host"]
    assert "x-forwarded-for" not in request.headers


def test_nothing_is_cached(serve: Serve, source: MetadataServer) -> None:
    other = id_token(sub="2")
    server = serve(answer(TOKEN), answer(other))
    assert [TOKEN, other] == [source(), source()]
    assert 2 == len(server.requests)


@pytest.mark.parametrize("around", ["{}\n", "  {}\r\n"])
def test_space_around_a_token_is_not_part_of_it(
    serve: Serve, source: MetadataServer, around: str
) -> None:
    serve(answer(around.format(TOKEN)))
    assert TOKEN == source()


@pytest.mark.parametrize(
    ("audience", "query"),
    [
        (None, "sts.amazonaws.com"),
        ("sts.amazonaws.com", "sts.amazonaws.com"),
        ("aws:123456789012:etl", "aws%3A123456789012%3Aetl"),
        ("https://a.example/?b=c&d#e", "https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d%23e"),
        ("ü", "%C3%BC"),
    ],
)
def test_the_audience_is_asked_for(
    serve: Serve, source: MetadataServer, audience: str | None, query: str
) -> None:
    server = serve(answer(id_token(aud=audience or AUDIENCE)))
    assert replace(source, audience=audience)()
    assert PATH.format("default", query) == server.requests[0].path


@pytest.mark.parametrize(
    ("account", "segment"),
    [
        ("etl@project.iam.gserviceaccount.com", "etl@project.iam.gserviceaccount.com"),
        ("../../x?y", "..%2F..%2Fx%3Fy"),
    ],
)
def test_another_service_account_is_asked_for(
    serve: Serve, source: MetadataServer, account: str, segment: str
) -> None:
    server = serve(answer(TOKEN))
    replace(source, service_account=account)()
    assert PATH.format(segment, AUDIENCE) == server.requests[0].path


def test_the_host_is_read_at_each_call(serve: Serve, source: MetadataServer) -> None:
    first = serve(answer(TOKEN))
    source()
    second = serve(answer(TOKEN))
    source()
    assert (1, 1) == (len(first.requests), len(second.requests))


def test_without_a_host_the_link_local_address_is_asked(
    monkeypatch: pytest.MonkeyPatch, source: MetadataServer
) -> None:
    asked = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: tuple[str, int]) -> None:
        asked.append(address)
        connect(self, address)  # which tests/conftest.py lets reach loopback only

    monkeypatch.setattr(socket.socket, "connect", note)
    unavailable(
        source, "token/metadata-unreachable", "169.254.169.254", "asked 3 times", "unreachable"
    )
    assert [("169.254.169.254", 80)] * 3 == [address for address in asked if len(address) == 2]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_no_proxy_gets_the_request(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, source: MetadataServer, variable: str
) -> None:
    proxy = serve(answer(TOKEN))
    server = serve(answer(TOKEN))
    monkeypatch.setenv(variable, proxy.url)
    assert TOKEN == source()
    assert (0, 1) == (len(proxy.requests), len(server.requests))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve: Serve, source: MetadataServer, status: int) -> None:
    elsewhere = serve(answer(TOKEN))
    server = serve(answer("", status, Location=f"{elsewhere.url}/token"))
    refused(source, "token/metadata-refused", f"HTTP {status}", "redirect, which is not followed")
    assert (0, 1) == (len(elsewhere.requests), len(server.requests))


# -- no, for good ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404])
@pytest.mark.parametrize("flavor", [None, "Amazon", "google", ""])
def test_what_does_not_say_google_is_not_googles(
    serve: Serve, source: MetadataServer, flavor: str | None, status: int
) -> None:
    server = serve(answer(TOKEN, status, flavor=flavor))
    error = unavailable(source, "token/not-google", server.host, f"HTTP {status}")
    assert "GCE_METADATA_HOST" in error.fix
    assert 1 == len(server.requests)


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_denial_is_not_retried(serve: Serve, source: MetadataServer, status: int) -> None:
    server = serve(answer("Permission 'iam.serviceAccounts.getOpenIdToken' denied", status))
    error = refused(
        source, "token/metadata-refused", f"HTTP {status}", "iam.serviceAccounts.getOpenIdToken"
    )
    assert "roles/iam.workloadIdentityUser" in error.fix
    assert 1 == len(server.requests)


def test_disabled_api_is_not_a_missing_binding(serve: Serve, source: MetadataServer) -> None:
    said = (
        "Unable to generate identity token; IAM returned 403 Forbidden: IAM Service Account "
        "Credentials API has not been used in project my-project before or it is disabled."
    )
    serve(answer(said, 403))
    error = refused(source, "token/metadata-refused", "HTTP 403")
    assert error.fix == (
        "gcloud services enable iamcredentials.googleapis.com --project=my-project"
    )


def test_account_that_does_not_exist_is_not_a_missing_annotation(
    serve: Serve, source: MetadataServer
) -> None:
    email = "etl@my-project.iam.gserviceaccount.com"
    serve(answer(f"IAM returned 404 Not Found: Gaia id not found for email {email}", 404))
    error = refused(source, "token/no-service-account", f'no Google service account "{email}"')
    assert "correct the annotation" in error.fix


def test_404_is_a_workload_without_a_service_account(serve: Serve, source: MetadataServer) -> None:
    server = serve(answer("Not Found", 404))
    error = refused(source, "token/no-service-account", "HTTP 404", '"Not Found"')
    assert "iam.gke.io/gcp-service-account" in error.fix
    assert "TokenFile" in error.fix
    assert 1 == len(server.requests)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_token_in_an_error_answer_is_not_shown(
    serve: Serve, source: MetadataServer, status: int
) -> None:
    serve(answer(f"cannot serve {TOKEN}", status))
    error_id, kind = {
        403: ("token/metadata-refused", TokenError),
        404: ("token/no-service-account", TokenError),
        500: ("token/metadata-not-ready", TokenError),
    }[status]
    failure(kind, error_id, source, seen=["cannot serve [redacted]"], secrets=TOKEN.split("."))


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("<!DOCTYPE html><title>Sign in</title>", "HTML"),
        ("", "empty"),
        ("null", "1 of the three parts"),
        (TOKEN[:200], "of the three parts"),
        (b"\xff\xfe\x00", "of the three parts"),
    ],
    ids=["html", "empty", "json", "cut", "binary"],
)
def test_200_with_something_else_than_a_token(
    serve: Serve, source: MetadataServer, body: str | bytes, seen: str
) -> None:
    server = serve(answer(body))
    refused(source, "token/malformed", "The metadata server", seen)
    assert 1 == len(server.requests)


@pytest.mark.parametrize(
    "issuer", ["https://evil.example", "https://accounts.google.com.evil.example", "google"]
)
def test_a_token_of_another_issuer(serve: Serve, source: MetadataServer, issuer: str) -> None:
    server = serve(answer(id_token(iss=issuer)))
    error = refused(source, "token/issuer", f'"{issuer}"')
    assert "GCE_METADATA_HOST" in error.fix
    assert 1 == len(server.requests)


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_both_spellings_of_google_are_google(
    serve: Serve, source: MetadataServer, issuer: str
) -> None:
    token = id_token(iss=issuer)
    serve(answer(token))
    assert token == source()


@pytest.mark.parametrize("life_s", [3600, 10])
def test_a_token_for_another_audience(serve: Serve, source: MetadataServer, life_s: int) -> None:
    server = serve(answer(id_token(aud="other", exp=START.timestamp() + life_s)))
    refused(source, "token/audience", '"other"', f'"{AUDIENCE}" was asked for')
    assert 1 == len(server.requests)


# -- not yet -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("flavor", ["Google", None])
def test_a_server_that_is_not_ready_is_asked_again(
    serve: Serve,
    source: MetadataServer,
    manual: ManualWorld,
    status: int,
    flavor: str | None,
) -> None:
    server = serve(answer("starting", status, flavor=flavor), answer(TOKEN))
    assert TOKEN == source()
    assert (2, [0.1]) == (len(server.requests), manual.sleeps)


@pytest.mark.parametrize(
    ("flavor", "fails", "error_id"),
    [
        ("Google", refused, "token/metadata-not-ready"),  # it is here: no other source goes on
        (None, unavailable, "token/metadata-unreachable"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_never_gets_ready_is_said_to_be(
    serve: Serve,
    source: MetadataServer,
    manual: ManualWorld,
    status: int,
    flavor: str | None,
    fails: Callable[..., object],
    error_id: str,
) -> None:
    server = serve(answer("starting", status, flavor=flavor))
    fails(source, error_id, server.host, f'HTTP {status} "starting"', "asked 3 times")
    assert (3, [0.1, 0.2]) == (len(server.requests), manual.sleeps)


def test_a_server_that_starts_while_it_is_waited_for(serve: Serve, manual: ManualWorld) -> None:
    server = serve(answer(TOKEN), listening=False)

    def sleep(seconds: float) -> None:
        manual.world.sleep(seconds)
        if len(manual.sleeps) == 3:
            server.listen()

    source = MetadataServer(deadline_s=20, world=manual.world._replace(sleep=sleep))
    assert TOKEN == source()
    assert (1, [0.1, 0.2, 0.4]) == (len(server.requests), manual.sleeps)


def test_a_server_that_never_starts(
    serve: Serve, source: MetadataServer, manual: ManualWorld
) -> None:
    server = serve(answer(TOKEN), listening=False)
    error = unavailable(
        source, "token/metadata-unreachable", server.host, "asked 3 times", "connection refused"
    )
    assert "network policy" in error.fix
    assert [0.1, 0.2] == manual.sleeps


def cut(connection: socket.socket) -> None:
    connection.sendall(answer(TOKEN)[:-20])


def cut_chunks(connection: socket.socket) -> None:
    head = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(f"{head}ff\r\n{TOKEN[:100]}".encode())


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (answer("x" * 65_537), "larger than 65536 bytes"),
        (endless, "larger than 65536 bytes"),
        (cut, "cut short"),
        (cut_chunks, "cut short"),
        (hang_up, "connection closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "not HTTP"),
    ],
    ids=["large", "endless", "cut", "chunks", "hung up", "ssh", "status", "headers", "header"],
)
def test_no_whole_answer_is_asked_for_again_and_then_named(
    serve: Serve, source: MetadataServer, reply: Reply, seen: str
) -> None:
    server = serve(reply)
    unavailable(source, "token/metadata-unreachable", "asked 3 times", seen)
    assert 3 == len(server.requests)
    serve(reply, answer(TOKEN))
    assert TOKEN == source()


def test_the_largest_body_that_is_read_is_read_whole(serve: Serve, source: MetadataServer) -> None:
    serve(answer(TOKEN + " " * (65_536 - len(TOKEN))))
    assert TOKEN == source()


def test_a_token_in_chunks_is_a_token(serve: Serve, source: MetadataServer) -> None:
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (TOKEN[:99], TOKEN[99:], ""))
    head = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nTransfer-Encoding: chunked\r\n\r\n"
    serve((head + chunks).encode())
    assert TOKEN == source()


def test_a_name_that_does_not_resolve(
    monkeypatch: pytest.MonkeyPatch, source: MetadataServer
) -> None:
    def lookup(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("GCE_METADATA_HOST", "metadata.example")
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    unavailable(
        source, "token/metadata-unreachable", "metadata.example", "its name does not resolve"
    )


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:http", "http://metadata.example", "a b", "127.0.0.1:1/path", " "),
        *("::1", "fd20:ce::254", "2001:db8::1:8080", "::ffff:127.0.0.1", "fe80::1%eth0"),
        *("[::1", "[::1]x", "[zz]", "[127.0.0.1]", "[::1]:", "http://[::1]", "[]"),
        *("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", ":8080", "a:80:90"),
        *("user@metadata.example", "metadata.example?x", "metadata.example#", "\u00e9.example"),
        *("127.0.0.1 ", "127.0.0.1:\u0663"),
    ],
)
def test_a_host_that_is_none_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, source: MetadataServer, host: str
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    failure(ConfigError, "config/metadata-host", source, seen=[f'"{host}"'])


def test_a_bare_ipv6_address_is_told_to_have_brackets(
    monkeypatch: pytest.MonkeyPatch, source: MetadataServer
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "::1")
    error = failure(ConfigError, "config/metadata-host", source, seen=["has brackets"])
    assert "[::1]:PORT" in error.fix


def test_an_ipv6_address_in_brackets_is_asked(
    monkeypatch: pytest.MonkeyPatch, source: MetadataServer
) -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with listening:
        accepted = threading.Thread(target=lambda: listening.accept()[0].close())
        accepted.start()
        host = f"[::1]:{listening.getsockname()[1]}"
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        with contextlib.suppress(TokenUnavailable):
            replace(source, deadline_s=0.0)()
        accepted.join(5)
        assert not accepted.is_alive()


# -- how long it is waited for -----------------------------------------------------------------


@pytest.mark.parametrize("make", [MetadataServer, DefaultSource])
@pytest.mark.parametrize("bound", [True, False])
def test_the_setting_says_how_long_to_wait_and_the_message_names_it(
    monkeypatch: pytest.MonkeyPatch, manual: ManualWorld, make: Any, bound: bool
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS", "45")
    source = make(world=manual.world)
    if bound:
        source = bound_source(source, AUDIENCE, manual.world, 45.0).call
        monkeypatch.delenv("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS")
    with pytest.raises(TokenUnavailable) as caught:
        source()
    assert 40 < sum(manual.sleeps) <= 45
    assert "GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS, now 45" in caught.value.message


def test_what_the_message_recommends_waits_long_enough(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, manual: ManualWorld
) -> None:
    ready_s = manual.world.monotonic() + 30  # a node that takes longer than 20 s

    def reply(connection: socket.socket) -> None:
        late = manual.world.monotonic() < ready_s
        connection.sendall(answer("starting", 503) if late else answer(TOKEN))

    serve(reply)
    source = MetadataServer(world=manual.world)
    with pytest.raises(TokenError) as caught:
        source()
    assert "set GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS (now 20)" in caught.value.fix
    ready_s = manual.world.monotonic() + 30
    monkeypatch.setenv("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS", "60")
    assert TOKEN == source()


def test_the_argument_comes_before_the_setting(
    monkeypatch: pytest.MonkeyPatch, manual: ManualWorld
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS", "60")
    with pytest.raises(TokenUnavailable):
        MetadataServer(deadline_s=5.0, world=manual.world)()
    assert sum(manual.sleeps) <= 5


# -- bounded in time ---------------------------------------------------------------------------


def silence(connection: socket.socket) -> None:
    connection.recv(1)  # the client closes


@pytest.mark.parametrize(
    "reply",
    [
        silence,
        drip(b"H", b"T"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 900\r\n\r\n", b"e"),
        drip(b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n", b"e"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ne\r\n"),
    ],
    ids=["silent", "status", "headers", "header", "continue", "body", "until closed", "chunks"],
)
def test_no_drip_can_pass_the_deadline(
    serve: Serve, source: MetadataServer, manual: ManualWorld, reply: Reply
) -> None:
    server = serve(reply)
    real = replace(source, deadline_s=0.06, world=manual.world._replace(monotonic=time.monotonic))
    start = time.monotonic()
    unavailable(real, "token/metadata-unreachable", "asked once", "no answer within 0.1 s")
    assert time.monotonic() - start < 1.5  # the drip goes on for three seconds
    assert (1, []) == (len(server.requests), manual.sleeps)


@pytest.mark.parametrize(
    ("deadline_s", "jitter", "sleeps"),
    [
        (0, 1.0, []),
        (0.05, 1.0, []),
        (0.11, 1.0, [0.1]),
        (1.0, 1.0, [0.1, 0.2, 0.4]),
        (5.2, 1.0, [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]),
        (0.35, 0.0, [0.1, 0.1, 0.1]),
        (1.0, 0.5, [0.1, 0.15, 0.25, 0.45]),
    ],
)
def test_pauses_double_from_a_tenth_to_two_seconds_and_end_within_the_deadline(
    serve: Serve, deadline_s: float, jitter: float, sleeps: list[float]
) -> None:
    manual = ManualWorld(jitter=jitter)
    serve(answer(TOKEN), listening=False)
    source = MetadataServer(deadline_s=deadline_s, world=manual.world)
    tries = len(sleeps) + 1
    unavailable(
        source, "token/metadata-unreachable", f"{tries} times" if tries > 1 else "asked once"
    )
    assert pytest.approx(sleeps) == manual.sleeps
    assert sum(manual.sleeps) <= deadline_s


def test_a_machine_that_slept_through_its_first_try_has_another(
    serve: Serve, manual: ManualWorld
) -> None:
    """A pod that is frozen, or a laptop's lid: the deadline is over, and nothing was heard."""

    def slept(_: socket.socket) -> None:
        manual.advance(600)

    server = serve(slept, answer(TOKEN))
    assert TOKEN == MetadataServer(deadline_s=20, world=manual.world)()
    assert 2 == len(server.requests)


def test_sleep_counts_once_and_then_the_deadline_holds(serve: Serve, manual: ManualWorld) -> None:
    def slept(_: socket.socket) -> None:
        manual.advance(600)

    server = serve(slept)
    source = MetadataServer(deadline_s=20, world=manual.world)
    unavailable(source, "token/metadata-unreachable", "asked 2 times")
    assert 2 == len(server.requests)


# -- the default deadline ----------------------------------------------------------------------


@pytest.fixture
def no_hints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine that shows no hardware; the returned path may be given some."""
    product = tmp_path / "product_name"
    monkeypatch.setattr(_metadata, "_DMI_PRODUCT", str(product))
    monkeypatch.setattr(sys, "platform", "linux")
    return product


@pytest.mark.parametrize(
    ("environ", "product", "system", "patient"),
    [
        ({}, None, "linux", False),
        ({}, "Google Compute Engine\n", "linux", True),
        ({}, "Google", "linux", True),
        ({}, "Amazon EC2\n", "linux", False),
        ({}, "Virtual Machine\n", "linux", False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, "linux", True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Amazon EC2\n", "linux", False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Google\n", "linux", True),
        ({"K_SERVICE": "etl"}, None, "linux", True),
        ({"K_SERVICE": "etl"}, "Amazon EC2\n", "linux", True),
        ({"K_SERVICE": ""}, None, "linux", False),
        ({"CLOUD_RUN_JOB": "etl"}, None, "linux", True),
        ({"GCE_METADATA_HOST": "127.0.0.1:1"}, None, "linux", True),
        ({"GCE_METADATA_HOST": "127.0.0.1:1"}, None, "darwin", True),
        ({}, None, "darwin", False),
        ({}, "Google\n", "darwin", False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, "darwin", False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, "win32", True),
        ({}, None, "win32", False),
    ],
)
def test_waiting_is_worth_while_where_something_suggests_google(
    monkeypatch: pytest.MonkeyPatch,
    no_hints: Path,
    manual: ManualWorld,
    environ: dict[str, str],
    product: str | None,
    system: str,
    patient: bool,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(_metadata, "_ADDRESS", "127.0.0.1:1")
    if product is not None:
        no_hints.write_text(product)
    unavailable(
        MetadataServer(world=manual.world), "token/metadata-unreachable", "127.0.0.1:1", "refused"
    )
    if patient:
        assert 18.0 < sum(manual.sleeps) < 20.0
    else:
        assert sum(manual.sleeps) < 0.8


def test_a_laptop_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, no_hints: Path, manual: ManualWorld
) -> None:
    monkeypatch.setattr(_metadata, "_ADDRESS", "127.0.0.1:1")
    assert not no_hints.exists()
    unavailable(MetadataServer(world=manual.world), "token/metadata-unreachable", "asked once")
    assert [] == manual.sleeps


def test_a_deadline_of_the_callers_counts_whatever_the_hints(
    monkeypatch: pytest.MonkeyPatch, no_hints: Path, manual: ManualWorld
) -> None:
    monkeypatch.setattr(_metadata, "_ADDRESS", "127.0.0.1:1")
    no_hints.write_text("Amazon EC2\n")
    unavailable(
        MetadataServer(deadline_s=3.2, world=manual.world),
        "token/metadata-unreachable",
        "6 times in 3 s",
    )
    assert pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6]) == manual.sleeps


# -- life left, and whose clock is wrong -------------------------------------------------------


def living(seconds: float) -> str:
    """A token that ends this many seconds after the start."""
    return id_token(exp=START.timestamp() + seconds, iat=START.timestamp() - 3600)


@pytest.mark.parametrize("seconds", [60, 61, 3600])
@pytest.mark.parametrize("date", [None, START])
def test_a_minute_of_life_is_enough(
    serve: Serve, source: MetadataServer, seconds: float, date: datetime | None
) -> None:
    server = serve(answer(living(seconds), date=date))
    assert living(seconds) == source()
    assert 1 == len(server.requests)


@pytest.mark.parametrize("seconds", [59, 1, 0, -1, -3600])
@pytest.mark.parametrize("date", [None, START, START + timedelta(seconds=299)])
def test_a_token_near_its_end_is_asked_for_again(
    serve: Serve,
    source: MetadataServer,
    manual: ManualWorld,
    seconds: float,
    date: datetime | None,
) -> None:
    server = serve(answer(living(seconds), date=date), answer(TOKEN, date=date))
    assert TOKEN == source()
    assert (2, [0.1]) == (len(server.requests), manual.sleeps)


@pytest.mark.parametrize("seconds", [30, -3600])
@pytest.mark.parametrize("date", [None, START])
def test_a_token_that_stays_near_its_end_is_not_the_lack_of_a_server(
    serve: Serve, source: MetadataServer, seconds: float, date: datetime | None
) -> None:
    serve(answer(living(seconds), date=date))
    with pytest.raises(TokenError) as caught:
        source()
    assert type(caught.value) is TokenError
    assert "token/metadata-unreachable" != caught.value.error_id
    assert "network policy" not in str(caught.value)


@pytest.mark.parametrize(
    ("off_s", "seen"),
    [
        (301, "5 minutes behind"),
        (7200, "120 minutes behind"),
        (-301, "5 minutes ahead"),
        (-7200, "120 minutes ahead"),
    ],
)
@pytest.mark.parametrize("life_s", [3600, 10])
def test_a_clock_that_is_off_is_told_from_an_old_token_by_the_servers(
    serve: Serve, source: MetadataServer, manual: ManualWorld, off_s: int, seen: str, life_s: int
) -> None:
    there = START + timedelta(seconds=off_s)
    token = id_token(now=there, exp=there.timestamp() + life_s)
    server = serve(answer(token, date=there))
    error = refused(source, "token/clock", "12:00:00 UTC", seen)
    assert "NTP" in error.fix
    assert (1, []) == (len(server.requests), manual.sleeps)


@pytest.mark.parametrize("off_s", [-300, 300])
def test_a_clock_that_is_a_little_off_is_no_matter(
    serve: Serve, source: MetadataServer, off_s: int
) -> None:
    there = START + timedelta(seconds=off_s)
    token = id_token(now=there)
    serve(answer(token, date=there))
    assert token == source()


def test_a_clock_behind_shows_by_the_token_where_the_server_does_not_tell(
    serve: Serve, source: MetadataServer
) -> None:
    serve(answer(id_token(now=START + timedelta(hours=2))))
    refused(source, "token/clock", "120 minutes into the future")


@pytest.mark.parametrize(
    "date", ["", "now", "Thu, 99 Foo 2026 12:00:00 GMT", "Thu, 01 Jan 2026 12:00:00 -0000", "0"]
)
def test_a_date_that_is_none_says_nothing(serve: Serve, source: MetadataServer, date: str) -> None:
    serve(answer(TOKEN, Date=date))
    assert TOKEN == source()


# -- _http -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Thu, 01 Jan 2026 12:00:00 GMT", START),
        ("Thu, 01 Jan 2026 14:00:00 +0200", START),
        ("1 Jan 2026 12:00:00 GMT", START),
        ("Thu, 01 Jan 2026 12:00:00 -0000", None),
        ("Thu, 01 Jan 99999 12:00:00 GMT", None),
        ("Thu, 01 Jan 2026 99:00:00 GMT", None),
        ("nonsense", None),
        ("", None),
        (None, None),
    ],
)
def test_the_servers_clock_is_aware_or_none(text: str | None, instant: datetime | None) -> None:
    headers = {} if text is None else {"date": text}
    found = _http.Answer(200, headers, "").date
    assert instant == found
    assert found is None or found.utcoffset() is not None


def test_an_answer_does_not_show_its_body() -> None:
    shown = _http.Answer(200, {"date": "x"}, TOKEN)
    assert "<Answer 200>" == repr(shown) == str(shown)


def test_header_names_are_lower_case_and_bodies_text(serve: Serve) -> None:
    server = serve(answer(b"caf\xc3\xa9 \xff", X_ODD="Value"))
    got = _http.get(server.host, "/", {}, timeout_s=2, monotonic=time.monotonic)
    assert ("Value", "café \ufffd") == (got.headers["x-odd"], got.body)


def test_the_connection_is_closed_also_when_the_server_would_keep_it(serve: Serve) -> None:
    closed = []

    def keep(connection: socket.socket) -> None:
        connection.sendall(answer(TOKEN, Connection="keep-alive"))
        closed.append(connection.recv(1))

    server = serve(keep)
    _http.get(server.host, "/", {}, timeout_s=2, monotonic=time.monotonic)
    server.__exit__(None, None, None)
    assert [b""] == closed


CLOSING = b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        answer(TOKEN),
        answer("", 503),
        answer("Not Found", 404),
        silence,
        CLOSING + b"\r\n" + TOKEN.encode(),
        cut,
        endless,
        answer("x" * 70_000),
        drip(CLOSING + b"\r\n", b"e"),
        drip(CLOSING + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\ne\r\n"),
    ],
    ids=[
        *("token", "503", "404", "silent", "until closed"),
        *("cut", "endless", "large", "drip", "dripping chunks"),
    ],
)
def test_no_connection_is_left_open_while_its_error_is_in_hand(
    serve: Serve, sockets: list[socket.socket], reply: Reply
) -> None:
    server = serve(reply)
    try:
        _http.get(server.host, "/", {}, timeout_s=0.02, monotonic=time.monotonic)
        error = None
    except _http.Unreachable as unreachable:
        error = unreachable  # its context holds the frames, as a traceback in a log does
    assert [-1] == [made.fileno() for made in sockets], error


def test_real_clock_is_the_default(serve: Serve) -> None:
    """The one test without a made-up world: its defaults fit together."""
    token = id_token(now=datetime.now(timezone.utc))
    serve(answer(token, date=datetime.now(timezone.utc)))
    assert token == MetadataServer()()


def test_arn_instead_of_a_service_account_is_escaped(serve: Serve, source: MetadataServer) -> None:
    server = serve(answer("Not Found", 404))
    refused(replace(source, service_account=ROLE_ARN), "token/no-service-account", "404")
    assert ROLE_ARN.replace(":", "%3A").replace("/", "%2F") in server.requests[0].path
