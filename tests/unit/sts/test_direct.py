"""Requests to STS without botocore have the results and errors of those over its connections."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import pytest
from doctor import sockets
from unit.servers import ROLE_ARN, Reply, Server, answer, drip, id_token
from unit.sts.test_answers import CHAINED, FORMS, KEYS, reply

from gcp_aws_bridge._sts import direct
from gcp_aws_bridge._sts.calls import StsCalls
from gcp_aws_bridge._sts.client import CONFIG, Sts
from gcp_aws_bridge._sts.direct import DirectRequests
from gcp_aws_bridge._sts.request import Requests
from gcp_aws_bridge._tokens import bounded_reader
from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = Role(ROLE_ARN, role_session_name="a+b=c", policy={"Version": "2012-10-17"})
TOKEN = _id_token.parse(id_token(), origin="test")
RESULT = """<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>wJalrXUtnFEMIK7MDENGbPxRfiCYDIRECTKEY</SecretAccessKey>
<SessionToken>IQoJb3JpZ2luX2VjDirectToken</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def ask(sts: StsCalls) -> Any:
    """Return the credentials, or the error."""
    try:
        return sts.assume_role_with_web_identity(TOKEN, ROLE)
    except ExchangeError as error:
        return error


def both(url: str, monkeypatch: pytest.MonkeyPatch, trusted: str | None = None) -> tuple[Any, Any]:
    """Return what both transports make of the server at *url*."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    if trusted is not None:
        monkeypatch.setenv("AWS_CA_BUNDLE", trusted)
    expected = Sts(botocore.session.Session(), "us-east-1")
    assert isinstance(expected.transport, Requests)
    found = StsCalls("us-east-1", DirectRequests(url, trusted))
    return ask(expected), ask(found)


def fields(error: ExchangeError) -> dict[str, Any]:
    """Return the fields of an error, without the line of OpenSSL's source in its details."""
    text = re.sub(r"\(_ssl\.c:\d+\)", "", error.message)
    return {"message": text, **{name: vars(error)[name] for name in ("code", "retryable")}}


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = f"{OK}Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, Reply] = {
    **{f"denied, {name}": reply(form) for name, form in FORMS.items()},
    "empty": reply("", 200),
    "no answer": b"",
    "page": reply("<html>Blocked</html>", 403, Content_Type="text/html"),
    "redirect": reply("", 301, Location="https://sts.amazonaws.com/"),
    "unavailable": reply("", 503),
    "compressed": reply(gzip.compress(RESULT.encode()), 200, Content_Encoding="gzip"),
    "too long": reply("x" * ((1 << 20) + 10), 200),
    "without length": f"{OK}\r\n{RESULT}".encode(),
    "chunked": f"{CHUNKED}{len(RESULT):x}\r\n{RESULT}\r\n0\r\n\r\n".encode(),
    "chunk is cut short": f"{CHUNKED}fff\r\n{RESULT}".encode(),
    "chunk is malformed": f"{CHUNKED}x\r\n".encode(),
    "shorter than announced": f"{OK}Content-Length: 9999\r\n\r\n{RESULT}".encode(),
    "cut short": f"{OK}Content-Length: {len(RESULT)}\r\n\r\n{RESULT[:-9]}".encode(),
    "informational": b"HTTP/1.1 100 Continue\r\n\r\n" + reply(RESULT, 200),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "reset": reset,
    "credentials": reply(RESULT, 200, Content_Type="text/xml"),
    "other operation": reply(RESULT.replace("WithWebIdentity", ""), 200),
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_every_answer_has_the_same_result(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with Server(ANSWERS[name]) as server:
        expected, found = both(server.url, monkeypatch)
    code = getattr(expected, "code", "")
    if name in ("shorter than announced", "cut short") and code == "ConnectionClosedError":
        pytest.skip("this botocore compares the length of an answer itself")
    if isinstance(expected, ExchangeError):
        assert fields(expected) == fields(found)
    else:
        assert expected == found


def test_request_is_the_same_but_for_the_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(reply(RESULT, 200)) as server:
        both(server.url, monkeypatch)
    expected, found = server.requests
    assert (expected.method, expected.path) == (found.method, found.path)
    assert parse_qs(expected.body) == parse_qs(found.body)
    for name in ("host", "content-type", "content-length", "accept-encoding"):
        assert expected.headers[name] == found.headers[name]
    assert re.fullmatch(r"gcp-aws-bridge/\S+ lang/python#3\.\d+\.\d+", found.headers["user-agent"])
    assert {"host", "user-agent", "content-type", "content-length"} < found.headers.keys()
    assert "authorization" not in found.headers


# -- faults ------------------------------------------------------------------------------------


def test_closed_port_has_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with sockets.closed() as address:
        expected, found = both(f"http://{address}", monkeypatch)
    assert "EndpointConnectionError" == found.code
    assert fields(expected) == fields(found)


def test_name_that_does_not_resolve_has_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    expected, found = both("https://sts.example", monkeypatch)
    assert "EndpointConnectionError" == found.code
    assert fields(expected) == fields(found)


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time-outs of both transports."""
    for name in ("connect_timeout", "read_timeout"):
        monkeypatch.setattr(CONFIG, name, 0.1)
    monkeypatch.setattr(direct, "_CONNECT_S", 0.1)
    monkeypatch.setattr(direct, "_READ_S", 0.1)


def test_silent_address_has_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    with sockets.dropping() as address:
        expected, found = both(f"http://{address}", monkeypatch)
    assert "ConnectTimeoutError" == found.code
    assert fields(expected) == fields(found)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_server_that_hangs_has_the_same_error(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    short(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        expected, found = both(url, monkeypatch)
    assert "ReadTimeoutError" == found.code
    assert fields(expected) == fields(found)


@pytest.mark.parametrize(
    "dripping",
    [
        drip(b"", b"H"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b"e"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ne\r\n"),
    ],
)
def test_dripping_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch, dripping: Reply) -> None:
    monkeypatch.setattr(bounded_reader, "ANSWER_S", 0.1)
    with Server(dripping) as server:
        found = ask(StsCalls("us-east-1", DirectRequests(server.url, None)))
    assert found.code in ("ReadTimeoutError", "ConnectionClosedError")
    assert ("exchange/unreachable", True) == (found.error_id, found.retryable)


def test_next_address_of_a_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with sockets.closed() as closed, Server(reply(RESULT, 200)) as server:
        ports = [int(address.rpartition(":")[2]) for address in (closed, server.host)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert "ASIAX" == ask(StsCalls("us-east-1", DirectRequests(server.url, None))).access_key_id


def test_signed_request_is_refused() -> None:
    sts = StsCalls("us-east-1", DirectRequests("http://127.0.0.1:1", None))
    with pytest.raises(ValueError, match="not signed"):
        sts.assume_role(KEYS, Role(ROLE_ARN, chain=[CHAINED]), 0)


# -- TLS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "same"),
    [
        ({"trusted": True}, True),
        ({}, True),
        ({"trusted": True, "days": -1}, True),
        ({"trusted": True, "host": "sts.example"}, False),
        ({"trusted": True, "host": "127.0.0.2"}, False),
    ],
    ids=["trusted", "unknown authority", "expired", "another host", "another address"],
)
def test_certificate_has_the_same_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: dict[str, Any], same: bool
) -> None:
    with sockets.tls(tmp_path, reply=reply(RESULT, 200), **certificate) as url:
        bundle = str(tmp_path / "authority.pem") if "trusted" in certificate else None
        expected, found = both(url, monkeypatch, bundle)
    if same and not isinstance(expected, ExchangeError):
        assert expected == found
        return
    # Where the name differs, urllib3 and OpenSSL quote it in different words.
    expected_fields, found_fields = fields(expected), fields(found)
    if not same:
        for one in (expected_fields, found_fields):
            one["message"] = one["message"].partition(" Details:")[0]
    assert expected_fields == found_fields
    assert ("SSLError", "exchange/tls") == (found.code, found.error_id)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_bundle_that_cannot_be_used_has_the_same_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    with sockets.tls(tmp_path, reply=reply(RESULT, 200)) as url:
        expected, found = both(url, monkeypatch, str(bundle))
    assert "SSLError" == found.code
    assert fields(expected) == fields(found)


@pytest.fixture
def cut() -> Iterator[Callable[..., str]]:
    """Return a function that returns the address of a server that says *data* and closes."""
    with contextlib.ExitStack() as stack:

        def serve(data: bytes, with_reset: bool = False) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def close() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        connection.recv(1000)
                        connection.sendall(data)
                        if with_reset:
                            reset(connection)
                        connection.close()

            thread = threading.Thread(target=close, daemon=True)
            thread.start()
            stack.callback(lambda: listener.shutdown(socket.SHUT_RDWR))
            return f"https://127.0.0.1:{listener.getsockname()[1]}"

        yield serve


@pytest.mark.parametrize("with_reset", [False, True])
def test_connection_that_ends_in_the_handshake_has_the_same_error(
    monkeypatch: pytest.MonkeyPatch, cut: Callable[..., str], with_reset: bool
) -> None:
    expected, found = both(cut(b"", with_reset), monkeypatch)
    assert fields(expected) == fields(found)
    assert ("ConnectionClosedError" if with_reset else "SSLError") == found.code


def test_plain_server_at_an_https_address_has_the_same_error(
    monkeypatch: pytest.MonkeyPatch, cut: Callable[..., str]
) -> None:
    expected, found = both(cut(answer(status=400)), monkeypatch)
    assert fields(expected) == fields(found)
    assert "SSLError" == found.code


# -- imports -----------------------------------------------------------------------------------


def test_request_imports_neither_botocore_nor_http_client() -> None:
    program = (
        "import json, sys\n"
        "import gcp_aws_bridge._sts.direct_exchange, gcp_aws_bridge._sts.direct_tls\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    heavy = {"botocore", "urllib3", "requests", "certifi", "google", "http.client", "email"}
    assert not heavy & set(json.loads(ran.stdout))
