"""Helpers of the unit tests: a scripted server on loopback, ID tokens, and the properties that
every error must have.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any, NamedTuple

import pytest
from botocore.session import Session
from fakes import START

from gcp_aws_bridge.exceptions import BridgeError

ROLE_ARN = "arn:aws:iam::123456789012:role/etl"
AUDIENCE = "sts.amazonaws.com"
NUMBER = "104290317465817263541"

Reply = bytes | Callable[[socket.socket], None]


# -- errors ------------------------------------------------------------------------------------


def failure(
    kind: type[BridgeError],
    error_id: str,
    call: Callable[[], object],
    *,
    seen: Iterable[str] = (),
    secrets: Iterable[str] = (),
) -> BridgeError:
    """Return the error of *call*: of this class and id, with the *seen* texts, and safe to show.

    It has a fix, pickles without loss, and shows no secret in `str`, `repr`, its pickle or a
    traceback.
    """
    with pytest.raises(BridgeError) as caught:
        call()
    error = caught.value
    assert (kind, error_id) == (type(error), error.error_id)
    for value in seen:
        assert value in f"{error.args[0]} {error.details}"
    details = f" Details: {error.details}" if error.details else ""
    assert str(error) == f"{error.args[0]} Fix: {error.fix}{details} [{error_id}]"
    assert error.fix
    pickled = pickle.dumps(error)
    copy = pickle.loads(pickled)
    assert (type(error), error.args, vars(error)) == (type(copy), copy.args, vars(copy))
    shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in pickled
    return error


# -- ID tokens ---------------------------------------------------------------------------------


def hook(session: Session) -> Session:
    """Register a hook for requests to STS, with which only botocore's client sends them."""
    session.register("before-sign.sts", lambda **_: None)
    return session


def segment(value: object) -> str:
    """Return one part of a JWT: JSON (or these bytes) in base64url without padding."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def id_token(*, now: datetime = START, **claims: Any) -> str:
    """Return a token like those of Google's metadata server, except for the signature."""
    payload = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": NUMBER,
        "sub": NUMBER,
        "email": "etl@project.iam.gserviceaccount.com",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }
    payload.update(claims)
    kept = {name: value for name, value in payload.items() if value is not ...}
    return f"{segment({'alg': 'RS256', 'kid': 'k'})}.{segment(kept)}.{segment(b'signature' * 28)}"


# -- a server ----------------------------------------------------------------------------------


class Request(NamedTuple):
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Server:
    """A server that answers each connection with the next of *replies*, then always with the last.

    A reply is the bytes of a whole HTTP answer, or a function that is called with the
    connection. With `listening=False`, its port refuses connections until `listen()`.
    """

    def __init__(self, *replies: Reply, listening: bool = True) -> None:
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self.replies = list(replies)
        self._connection: socket.socket | None = None
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        if listening:
            self.listen()

    def listen(self) -> None:
        self._socket.listen(8)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stopped.set()
        if self._thread.is_alive():
            if (connection := self._connection) is not None:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes a reply that is still writing
            with socket.create_connection(self._socket.getsockname()):
                pass  # wakes accept()
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if self.stopped.is_set():
                    return
                connection.settimeout(5)
                self._connection = connection
                with contextlib.suppress(OSError):  # the client has closed the connection
                    self._answer(connection)
                self._connection = None

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            line = stream.readline().decode("latin-1")
            if not line:
                return
            method, path, _ = line.split(" ", 2)
            headers = {}
            while text := stream.readline().decode("latin-1").strip():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0))).decode()
        self.requests.append(Request(method, path, headers, body))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if callable(reply):
            reply(connection)
        else:
            connection.sendall(reply)


def drip(start: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Return a reply that sends *start*, then *drop* repeatedly, each within any read time-out."""

    def reply(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(300):
            connection.settimeout(0.01)
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                connection.sendall(drop)

    return reply


def answer(
    body: str | bytes = "",
    status: int = 200,
    *,
    flavor: str | None = "Google",
    date: datetime | None = None,
    **headers: str,
) -> bytes:
    """Return a whole HTTP answer, by default like those of the metadata server."""
    data = body if isinstance(body, bytes) else body.encode()
    lines = {"Connection": "close", "Content-Length": str(len(data))}
    if flavor is not None:
        lines["Metadata-Flavor"] = flavor
    if date is not None:
        lines["Date"] = format_datetime(date, usegmt=True)
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + data


def json_answer(value: object, status: int = 200) -> bytes:
    return answer(json.dumps(value), status, flavor=None, Content_Type="application/json")
