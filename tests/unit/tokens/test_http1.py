"""The reader of HTTP answers accepts what RFC 9112 allows, and nothing else."""

from __future__ import annotations

import io
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_aws_bridge._tokens import http1

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MOST = 1000


def read(data: bytes) -> http1.RawAnswer:
    return http1.read(io.BufferedReader(io.BytesIO(data)), MOST)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\nabc", b"ab"),
        (OK + b"content-length:2\r\n\r\nab", b"ab"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (OK + b"\r\nuntil closed", b"until closed"),
        (b"HTTP/1.0 200\r\n\r\nx", b"x"),
        (b"HTTP/1.1 200 \n\nx", b"x"),
        (
            CHUNKED + b"2\r\nab\r\n1;q=1\r\nc\r\n0\r\nT: 1\r\n\r\n",
            b"abc",
        ),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b""),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + b"\r\na", b"a"),
        (b"HTTP/1.1 204 None\r\n\r\nx", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
        (OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001, b"x" * 1001),
        (OK + b"Content-Length: 999999\r\n\r\n" + b"x" * 1500, b"x" * 1001),
        (OK + b"\r\n" + b"x" * 1500, b"x" * 1001),
        (CHUNKED + b"5DC\r\n" + b"x" * 1500 + b"\r\n", b"x" * 1001),
    ],
)
def test_body_is_read(data: bytes, body: bytes) -> None:
    found = read(data)
    assert (body, True) == (found.body, found.is_whole)


def test_status_and_fields_are_read() -> None:
    found = read(b"HTTP/1.1 403 No\r\nDate: a  \r\nX-Y:\tb\r\nX-Y: c\r\nEmpty:\r\nE: \xe9\r\n\r\n")
    assert 403 == found.status
    assert {"date": "a", "x-y": "b", "empty": "", "e": "é"} == found.headers


def test_body_with_fewer_bytes_than_announced_is_not_whole() -> None:
    found = read(OK + b"Content-Length: 5\r\n\r\nab")
    assert (b"ab", False) == (found.body, found.is_whole)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", http1.NoAnswer),
        (b"HTTP/1.1 100 Continue\r\n\r\n", http1.NoAnswer),
        (b"HTTP/1.1 200", http1.CutShort),
        (OK, http1.CutShort),
        (OK + b"Date: x", http1.CutShort),
        (OK + b"Date: x\r\n", http1.CutShort),
        (CHUNKED, http1.CutShort),
        (CHUNKED + b"5\r\nab", http1.CutShort),
        (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", http1.CutShort),
        (CHUNKED + b"2\r\nab\r\n", http1.CutShort),
        (CHUNKED + b"0\r\n", http1.CutShort),
        (b"\x16\x03\x01\x02\x00\r\n", http1.InvalidAnswer),
        (b"HTTP/2 200 OK\r\n\r\n", http1.InvalidAnswer),
        (b"HTTP/1.1 20 OK\r\n\r\n", http1.InvalidAnswer),
        (b"HTTP/1.1 2000 OK\r\n\r\n", http1.InvalidAnswer),
        (b" HTTP/1.1 200 OK\r\n\r\n", http1.InvalidAnswer),
        (b"<html>\r\n", http1.InvalidAnswer),
        (OK + b"no colon\r\n\r\n", http1.InvalidAnswer),
        (OK + b"Name : x\r\n\r\n", http1.InvalidAnswer),
        (OK + b"A: x\r\n folded\r\n\r\n", http1.InvalidAnswer),
        (OK + b"A: x\0\r\n\r\n", http1.InvalidAnswer),
        (OK + b"A: x\ry\r\n\r\n", http1.InvalidAnswer),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", http1.InvalidAnswer),
        (CHUNKED.rstrip() + b"\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", http1.InvalidAnswer),
        (CHUNKED.rstrip() + b"\r\nTransfer-Encoding: chunked\r\n\r\n", http1.InvalidAnswer),
        (OK + b"Content-Length: -1\r\n\r\n", http1.InvalidAnswer),
        (OK + b"Content-Length: 1, 1\r\n\r\na", http1.InvalidAnswer),
        (OK + b"Content-Length: \xb2\r\n\r\na", http1.InvalidAnswer),
        (OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\na", http1.InvalidAnswer),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", http1.InvalidAnswer),
        (CHUNKED + b"-1\r\n", http1.InvalidAnswer),
        (CHUNKED + b"0x1\r\na\r\n", http1.InvalidAnswer),
        (CHUNKED + b"" + b"f" * 40 + b"\r\n", http1.InvalidAnswer),
        (OK + b"A: b\r\n" * 101 + b"\r\n", http1.InvalidAnswer),
        (OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n", http1.InvalidAnswer),
    ],
)
def test_other_bytes_are_an_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(http1.InvalidAnswer) as caught:
        read(data)
    assert error is caught.type


LINES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 100 C", b"Content-Length: 3", b"Content-Length: 4"),
        *(b"Transfer-Encoding: chunked", b"", b"3", b"0", b"abc", b"A: b", b" c", b"\0", b"g"),
    ]
)


@settings(deadline=None)
@given(st.lists(st.one_of(LINES, st.binary(max_size=9)), max_size=12))
def test_any_bytes_are_an_answer_or_an_invalid_answer(lines: list[bytes]) -> None:
    try:
        found = read(b"\r\n".join(lines))
    except http1.InvalidAnswer:
        return
    assert 200 <= found.status <= 999 or found.status == 101
    assert len(found.body) <= MOST + 1


def test_representation_shows_no_body() -> None:
    assert "secret" not in repr(read(OK + b"\r\nsecret"))


def test_request_is_sent_whole() -> None:
    near, far = socket.socketpair()
    with near, far:
        http1.send(near, "POST", "/a?b=c", {"Host": "sts.example"}, b"body")
        assert (
            b"POST /a?b=c HTTP/1.1\r\nHost: sts.example\r\nAccept-Encoding: identity\r\n"
            b"Connection: close\r\nContent-Length: 4\r\n\r\nbody"
        ) == far.recv(1000)


@pytest.mark.parametrize(
    ("target", "host"), [("/a b", "x"), ("/a\r\nB: c", "x"), ("/", "x\r\nB: c"), ("/é", "x")]
)
def test_request_with_other_characters_is_not_sent(target: str, host: str) -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(ValueError, match="printable"):
        http1.send(near, "GET", target, {"Host": host})


def test_answer_of_a_server_that_closed_early_can_be_read() -> None:
    near, far = socket.socketpair()
    with near:
        far.sendall(OK + b"\r\nx")
        far.close()
        http1.send(near, "POST", "/", {"Host": "x"}, b"body")
        with near.makefile("rb") as file:
            assert b"x" == http1.read(file, MOST).body
