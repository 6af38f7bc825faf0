"""HTTP server on loopback that can also misbehave: reset, hang, truncate or drip answers.

Independent of both clouds. After `Listener.close()`, no socket is open and no thread waits for a
client.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

from .loopback import IPV4

__all__ = ["Arrival", "Listener", "Outcome", "Reply"]

# Far larger than any request to either cloud. Limits the memory that a faulty client can use.
_MAX_BODY = 1 << 20

Wire = Literal["whole", "truncated", "drip", "hang", "reset"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of a cloud, without the headers that the server adds."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def json(value: object, status: int = 200) -> Reply:
        """Return an answer with a JSON body. The content type is the service's."""
        return Reply(status, json.dumps(value).encode())

    def with_header(self, name: str, value: str | None) -> Reply:
        """Return this reply with one header replaced, added, or (for `None`) removed."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        added = () if value is None else ((name, value),)
        return replace(self, headers=kept + added)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as received. The target of a GET may contain a token."""

    method: str
    target: str = field(repr=False)
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    peer: str = IPV4


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply, and how to deliver it."""

    reply: Reply
    wire: Wire = "whole"
    seconds: float = 0.0


class _Handler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1 with keep-alive. The application handles all methods."""

    protocol_version = "HTTP/1.1"
    # Nagle's algorithm would collect the bytes of a drip and wait for delayed ACKs.
    disable_nagle_algorithm = True

    @property
    def _listener(self) -> Listener:
        return cast("Listener", self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: the service has a request log."""

    def answer(self) -> None:
        """Read one request, call the application, and deliver its outcome."""
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        arrival = Arrival(self.command, self.path, self.headers, body, self.client_address[0])
        outcome = self._listener.application(arrival)
        try:
            self._deliver(outcome)
        except OSError:  # the client has disconnected, or the listener was closed
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _read_body(self) -> bytes | None:
        """Return the body. Reject a request without a valid Content-Length (RFC 9112, 6.3)."""
        if self.headers.get("Transfer-Encoding"):
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return None
        # RFC 9112, sections 3.2 and 6.3: a server rejects a second Host or Content-Length.
        if any(len(self.headers.get_all(name, ())) > 1 for name in ("Host", "Content-Length")):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None
        length = self.headers.get("Content-Length", "0").strip()
        if not length.isascii() or not length.isdigit():
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None
        if int(length) > _MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _deliver(self, outcome: Outcome) -> None:
        if outcome.wire == "reset":
            self._reset()
        elif outcome.wire == "hang":
            self._listener.pause(outcome.seconds)
            self.close_connection = True
        elif outcome.wire == "drip":
            data = self._message(outcome.reply)
            for at in range(len(data)):
                self.wfile.write(data[at : at + 1])
                if self._listener.pause(outcome.seconds):
                    self.close_connection = True
                    return
        elif outcome.wire == "truncated":
            self.close_connection = True
            self.wfile.write(self._message(outcome.reply, cut=True))
        else:
            self.wfile.write(self._message(outcome.reply))

    def _message(self, reply: Reply, *, cut: bool = False) -> bytes:
        """Return the bytes of the reply; if `cut`, fewer than its Content-Length."""
        try:
            reason = HTTPStatus(reply.status).phrase
        except ValueError:
            reason = "Unknown"
        body = reply.body[: min(40, max(0, len(reply.body) - 1))] if cut else reply.body
        length = max(1, len(reply.body)) if cut else len(reply.body)
        lines = [f"HTTP/1.1 {reply.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        lines.append(f"Content-Length: {length}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if self.command == "HEAD" else head + body

    def _reset(self) -> None:
        """Close with RST instead of FIN, by SO_LINGER with zero seconds."""
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        # Close before `socketserver` sends a FIN. The reader holds the descriptor too.
        self.rfile.close()
        self.connection.close()


class Listener(ThreadingHTTPServer):
    """Server for one loopback port, with a daemon thread for each connection.

    A closed listener cannot be used again; create another one for the same port.

    Args:
        application: Called for each request, in the thread of the connection.
        reserved: A bound socket from `loopback.reserve()`, which starts to listen.
    """

    daemon_threads = True
    block_on_close = False
    # The default of `socketserver` is 5. 200 threads that start at the same time would exceed it:
    # the kernel drops their SYNs, and they wait 1 s.
    request_queue_size = 512

    def __init__(self, application: Callable[[Arrival], Outcome], reserved: socket.socket) -> None:
        self.address_family: socket.AddressFamily = reserved.family
        super().__init__((IPV4, 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = reserved
        self.server_address: Any = reserved.getsockname()
        self.server_name: str = reserved.getsockname()[0]
        self.server_port: int = reserved.getsockname()[1]
        self.application = application
        self.error: BaseException | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._wake, self._waker = socket.socketpair()
        self.server_activate()
        _LISTENERS.add(self)
        self._thread = threading.Thread(target=self._accept, name="emulator", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        # `serve_forever` polls, so stopping it takes up to half a second.
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while all(key.fileobj is not self._wake for key, _ in selector.select()):
                try:
                    connection, address = self.get_request()
                except OSError:  # the client has disconnected before the accept
                    continue
                with self._lock:
                    self._connections.add(connection)
                self.process_request(connection, address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Store an error of the emulator, for `Service.stop` to raise. Ignore disconnects."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.error = error

    def pause(self, seconds: float) -> bool:
        """Wait, or return True immediately if the connection should be closed instead."""
        return self._released.wait(seconds) if seconds > 0 else self._released.is_set()

    def release(self) -> None:
        """End all current pauses: connections that hang or drip are closed."""
        with self._lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._waker.send(b"x")
        self._thread.join()
        # A child process forked just now shares the socket: shut it down for both.
        _disconnect(self.socket)
        self.server_close()
        self._wake.close()
        self._waker.close()
        self._released.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _disconnect(connection)
        _LISTENERS.discard(self)

    def abandon(self) -> None:
        """Close the parent's sockets in a forked child; otherwise its ports would stay open."""
        for held in (self.socket, self._wake, self._waker, *self._connections):
            # `close()` would wait for the reader that a thread of the parent has open.
            descriptor = held.detach()
            if descriptor >= 0:
                os.close(descriptor)


def _disconnect(connection: socket.socket) -> None:
    """Wake the thread that waits for this socket. The thread then closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed already, or a listening socket on a system other than Linux
        return


_LISTENERS: weakref.WeakSet[Listener] = weakref.WeakSet()


def _abandon_all() -> None:
    for listener in list(_LISTENERS):
        listener.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
