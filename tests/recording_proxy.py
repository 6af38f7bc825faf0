"""A proxy on another loopback address that records its requests, and HTTPS in front of a server.

Both use real sockets: they record what a client would send to a proxy on the network.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from doctor import sockets

PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY")


class RecordingProxy:
    """Records requests; opens tunnels (CONNECT) to `upstream`, and forwards nothing else.

    Attributes:
        url: Address of the proxy.
        connections: The number of connections.
        requests: The first bytes of each request.
        upstream: The URL of the server behind every tunnel.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0
        self.requests: list[bytes] = []
        self.upstream = ""

    @property
    def request_lines(self) -> list[str]:
        return [request.split(b"\r\n")[0].decode("latin-1") for request in self.requests]

    @property
    def saw_nothing(self) -> bool:
        return (self.connections, self.requests) == (0, [])

    def _serve(self, connection: socket.socket) -> None:
        request = connection.recv(65536)
        self.requests.append(request)
        if not request.startswith(b"CONNECT "):
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _relay(connection, self.upstream)


@contextlib.contextmanager
def recording_proxy(context: ssl.SSLContext | None = None) -> Iterator[RecordingProxy]:
    """Run a proxy; with *context*, clients speak TLS to it."""
    listener = _listener("127.0.0.2")
    proxy = RecordingProxy(f"{'https' if context else 'http'}://{_address(listener)}")

    def serve(connection: socket.socket) -> None:
        proxy.connections += 1
        with _with_tls(connection, context) as secured:
            proxy._serve(secured)

    with listener, _accepting(listener, serve):
        yield proxy


@contextlib.contextmanager
def https_in_front_of(url: str, context: ssl.SSLContext) -> Iterator[str]:
    """Terminate TLS before the server at *url*; yield the HTTPS address."""
    listener = _listener("127.0.0.1")

    def serve(connection: socket.socket) -> None:
        with _with_tls(connection, context) as secured:
            _relay(secured, url)

    with listener, _accepting(listener, serve):
        yield f"https://{_address(listener)}"


def context_for(folder: Path, *hosts: str) -> ssl.SSLContext:
    """Return TLS settings of a server; its authority is in `authority.pem`."""
    return sockets.server_context(folder, [*hosts], trusted=True)


def _listener(host: str) -> socket.socket:
    try:
        return socket.create_server((host, 0))
    except OSError:  # macOS has only 127.0.0.1
        return socket.create_server(("127.0.0.1", 0))


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


@contextlib.contextmanager
def _with_tls(connection: socket.socket, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with connection:
        if context is None:
            yield connection
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            yield secured


def _relay(client: socket.socket, url: str) -> None:
    """Copy bytes in both directions until either side ends."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=10) as server:

        def back() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(65536):
                    client.sendall(data)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextlib.contextmanager
def _accepting(listener: socket.socket, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    stopped = threading.Event()

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(
            OSError
        ):  # also ssl.SSLError: the client does not trust the certificate
            connection.settimeout(10)
            serve(connection)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if stopped.is_set():
                connection.close()
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        with contextlib.suppress(OSError), socket.create_connection(listener.getsockname()):
            pass  # wakes accept()
        thread.join()
