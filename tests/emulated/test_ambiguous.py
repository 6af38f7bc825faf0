"""Requests that a proxy could read differently than the endpoint, sent through raw sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.server.asgi import application
from gcp_aws_bridge.server.authorization import Authorization
from gcp_aws_bridge.server.endpoint import PATH, endpoint
from gcp_aws_bridge.server.running import Address, running

ROLE = "arn:aws:iam::123456789012:role/etl"


class Raw:
    """A client that sends bytes to an endpoint."""

    def __init__(self, url: str, token: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self.token = token

    def head(self, target: str = PATH, *lines: str, end: str = "\r\n") -> bytes:
        """Return a valid request with *lines* added; TOKEN in them becomes the real token."""
        all_lines = [f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""]
        return end.join(all_lines).replace("TOKEN", self.token).encode("latin-1")

    def sent(self, *pieces: bytes) -> tuple[int, str, Any]:
        """Send *pieces* in separate packets; return status, type and body of the first answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
            return answer.status, str(answer.getheader("Content-Type")), json.loads(body)


@pytest.fixture
def raw(pod: Emulator) -> Iterator[Raw]:
    wanted = Request.of(ROLE)
    authorization = Authorization()
    roles = {"etl": wanted.cache()}
    app = application(endpoint(roles, authorization), hosts=frozenset())
    with running((Address("127.0.0.1", 0), app), grace_s=0) as [url]:
        yield Raw(url, authorization.token)


AUTHORIZED = "Authorization: TOKEN"


def refused(raw: Raw, *pieces: bytes) -> None:
    status, kind, body = raw.sent(*pieces)
    assert (400, "application/json", "BadRequest") == (status, kind, body["code"])
    assert {"code", "message", "Code", "Message"} == body.keys()
    assert raw.token not in json.dumps(body)
    assert 200 == raw.sent(raw.head(PATH, AUTHORIZED))[0]


HEADERS = [
    ("Authorization: wrong", AUTHORIZED),
    (AUTHORIZED, "Authorization: wrong"),
    (AUTHORIZED, AUTHORIZED),
    (AUTHORIZED, "authorization:"),
    (AUTHORIZED, "AUTHORIZATION: TOKEN"),
    (AUTHORIZED, "Host: localhost"),
    (AUTHORIZED, "Host: evil.example"),
    (AUTHORIZED, "host:"),
    (AUTHORIZED, "Content-Length: 0", "Transfer-Encoding: chunked"),
    (AUTHORIZED, "Transfer-Encoding: chunked", "Content-Length: 5"),
    (AUTHORIZED, "Transfer-Encoding: chunked"),
    (AUTHORIZED, "Transfer-Encoding: identity"),
    (AUTHORIZED, "Transfer-Encoding: chunked, identity"),
    (AUTHORIZED, "Transfer-Encoding: gzip, chunked"),
    (AUTHORIZED, "Transfer-Encoding: xchunked"),
    (AUTHORIZED, "Transfer-Encoding:\tchunked"),
    (AUTHORIZED, "Transfer-Encoding : chunked"),
    (AUTHORIZED, " Transfer-Encoding: chunked"),
    (AUTHORIZED, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    (AUTHORIZED, "Transfer_Encoding: chunked"),
    (AUTHORIZED, "Content-Length: 0", "Content-Length: 0"),
    (AUTHORIZED, "Content-Length: 0", "Content-Length: 5"),
    (AUTHORIZED, "Content-Length: 0, 0"),
    (AUTHORIZED, "Content-Length: +0"),
    (AUTHORIZED, "Content-Length: -0"),
    (AUTHORIZED, "Content-Length: 0x0"),
    (AUTHORIZED, "Content-Length: 0 0"),
    (AUTHORIZED, "Content-Length:"),
    (AUTHORIZED, "Content-Length: \xb2"),
    (AUTHORIZED, "Content_Length: 0"),
    (AUTHORIZED, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 127.0.0.1"),
    (AUTHORIZED, "X_Forwarded_For: 10.0.0.1"),
    (AUTHORIZED, "X_Forwarded-For: 10.0.0.1"),
    ("Authorization_: x", AUTHORIZED, "Sec_Fetch_Site: cross-site"),
    (AUTHORIZED, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: none"),
    (AUTHORIZED, "Origin: null", "Origin: null"),
    ("X: y\r\n " + AUTHORIZED, AUTHORIZED),
    ("Authorization:\r\n TOKEN",),
    ("Authorization:\r\n\tTOKEN",),
    (AUTHORIZED, "X: a\r\n b"),
    (AUTHORIZED + "\x00",),
    (AUTHORIZED, "X: a\x00b"),
    (AUTHORIZED, "X\x00: b"),
    (AUTHORIZED, "X: a\rY: b"),
    (AUTHORIZED, "X: a\nY: b"),
    (AUTHORIZED, "no colon"),
    (AUTHORIZED, ": no name"),
    (AUTHORIZED, "X Y: z"),
    (AUTHORIZED, "X\xe9: z"),
]


@pytest.mark.sampled(11)
@pytest.mark.parametrize("lines", HEADERS, ids=repr)
def test_ambiguous_headers_are_refused(raw: Raw, lines: tuple[str, ...]) -> None:
    refused(raw, raw.head(PATH, *lines))


TARGETS = [
    *("/credentials%2Fetl", "/credentials%2fetl", "/%2Fcredentials", "%2Fcredentials"),
    *("/credentials%5Cetl", "/credentials%5cetl", "/credentials\\etl", "\\credentials"),
    *("/credentials%252Fetl", "/credentials%25252Fetl", "/credentials%255Cetl"),
    *("/credentials/../credentials/etl", "/credentials/./etl", "/./credentials", "/../credentials"),
    *(
        "/credentials/etl/..",
        "/credentials/etl/.",
        "/credentials/x/%2e%2e/etl",
        "/credentials/%2E/etl",
    ),
    *("/credentials/.%2e/credentials", "/credentials/%2e./credentials"),
    *("/credentials%00", "/credentials/etl%00", "/credentials/etl%0d%0aX:y", "/credentials/etl%7f"),
    *("/%63redentials", "/credentials/%65tl", "/credentials/et%6C", "/credentials/%65%74%6c"),
    *("/credentials/et%", "/credentials/et%6", "/credentials/%u0065tl", "/credentials/%zz"),
    *("/credentials%c0%afetl", "/credentials%e0%80%afetl", "/credentials/%ff", "/credentials/%c3"),
    *(
        "http://localhost/credentials",
        "http://127.0.0.1/credentials/etl",
        "HTTP://evil/credentials",
    ),
    *("localhost:80", "*", "credentials", "?/credentials", "#/credentials"),
    *("/credentials\x00", "/credentials\xe9", "/credentials\tx", "/credentials etl"),
]


@pytest.mark.sampled(11)
@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_ambiguous_targets_are_refused(raw: Raw, target: str) -> None:
    refused(raw, raw.head(target, AUTHORIZED))


@pytest.mark.parametrize(
    "target", ["//credentials", "/credentials//etl", "///credentials", "/credentials//"]
)
def test_path_with_empty_segments_is_not_normalized(raw: Raw, target: str) -> None:
    status, _, body = raw.sent(raw.head(target, AUTHORIZED))
    assert (404, "NotFound") == (status, body["code"])


def test_bare_line_feeds_are_refused(raw: Raw) -> None:
    refused(raw, raw.head(PATH, AUTHORIZED, end="\n"))
    refused(raw, raw.head(PATH, AUTHORIZED).replace(b"\r\n", b"\n", 1))
    refused(raw, raw.head(PATH, AUTHORIZED).replace(b"\r\n\r\n", b"\r\n\n"))


@pytest.mark.parametrize(
    "lines",
    [
        ("Authorization:\r\n TOKEN",),
        (AUTHORIZED, "Content-Length: 0", "Content-Length: 0"),
        (AUTHORIZED, "X: a\nY: b"),
        (AUTHORIZED, "Authorization: wrong"),
    ],
    ids=repr,
)
def test_ambiguous_request_in_many_packets_is_refused(raw: Raw, lines: tuple[str, ...]) -> None:
    whole = raw.head(PATH, *lines)
    refused(raw, *(whole[at : at + 1] for at in range(len(whole))))


def test_ambiguous_second_request_of_a_connection_is_refused(raw: Raw) -> None:
    first, second = raw.head(PATH, AUTHORIZED), raw.head(PATH, AUTHORIZED, "Content-Length: 0, 0")
    with socket.create_connection(("127.0.0.1", raw.port), timeout=30) as connection:
        statuses = []
        for request in (first, first, second):
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read()
            statuses.append(answer.status)
    assert [200, 200, 400] == statuses


def test_valid_pipelined_requests_are_answered(raw: Raw) -> None:
    request = raw.head(PATH, AUTHORIZED)
    last = raw.head(PATH, AUTHORIZED, "Connection: close")
    with socket.create_connection(("127.0.0.1", raw.port), timeout=30) as connection:
        connection.sendall(request + request + last)
        answer = connection.makefile("rb").read()
    assert 3 == answer.count(b"HTTP/1.1 200 ") == answer.count(b'"RoleArn"')


def test_connection_is_closed_after_an_ambiguous_request(raw: Raw) -> None:
    """A proxy that ignores Transfer-Encoding would take the body for a second request."""
    inner = raw.head(PATH, AUTHORIZED)
    outer = raw.head(PATH, "Transfer-Encoding: chunked", "Content-Length: 4")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    with socket.create_connection(("127.0.0.1", raw.port), timeout=30) as connection:
        connection.sendall(outer + chunked)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"SecretAccessKey" not in answer


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Authorization: \xff\xfe",), 401),
        (("Authorization: T\xd6KEN",), 401),
        (("Authorization: " + "x" * 8000,), 401),
        (("Authorization: TOKEN" + "x" * 8000,), 401),
        (("Authorization: " + "x" * 100_000,), 400),
        (("Authorization: TOKEN TOKEN",), 401),
        (("Authorization: TOKEN,TOKEN",), 401),
        (("Authorization: Bearer TOKEN",), 401),
        (("Authorization_: TOKEN",), 401),
        (("Proxy-Authorization: TOKEN",), 401),
        ((AUTHORIZED, "X-Forwarded-For: 127.0.0.1"), 401),
        ((AUTHORIZED, "Content-Length: 0"), 200),
        ((AUTHORIZED, "Accept: a", "Accept: b"), 200),
        ((AUTHORIZED, "X-My_Header: b", "User_Agent: c"), 200),
        (("authorization:    TOKEN  \t",), 200),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_valid_request_is_answered(raw: Raw, lines: tuple[str, ...], status: int) -> None:
    found, kind, body = raw.sent(raw.head(PATH, *lines))
    assert (status, "application/json") == (found, kind)
    assert ("SecretAccessKey" in body) == (status == 200)
