"""Servers on loopback that misbehave, each in one way."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from unit.servers import Server, answer


def has_ipv6() -> bool:
    """Return whether a server can listen on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def closed() -> Iterator[str]:
    """Yield an address that refuses connections, reserved until the block ends."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield _address(bound)


@contextlib.contextmanager
def dropping() -> Iterator[str]:
    """Yield an address that does not answer a SYN: Linux drops it when the queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield _address(listener)


@contextlib.contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """Yield an address that answers every request with *reply*."""
    with socket.create_server(("127.0.0.1", 0)) as listener, _served(listener, reply):
        yield _address(listener)


@contextlib.contextmanager
def tls(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    days: int = 1,
    trusted: bool = False,
    reply: bytes = b"",
) -> Iterator[str]:
    """Yield an HTTPS address that answers every request with *reply*.

    Its certificate is for *host*, expires in *days*, and is its own authority. With *trusted*, the
    authority is written to `authority.pem`, for AWS_CA_BUNDLE.
    """
    context = server_context(folder, [host], days=days, trusted=trusted)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        _served(listener, reply, lambda one: context.wrap_socket(one, server_side=True)),
    ):
        yield f"https://{_address(listener)}"


def server_context(
    folder: Path, hosts: list[str], *, days: int = 1, trusted: bool = False
) -> ssl.SSLContext:
    """Return the TLS settings of a server with a certificate for *hosts*; arguments as of `tls`."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = _certificate(key, hosts, days).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(private + pem)
    if trusted:
        (folder / "authority.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@contextlib.contextmanager
def tls_relay(
    folder: Path, url: str, *, name: str = "127.0.0.1", address: str = "127.0.0.1"
) -> Iterator[str]:
    """Yield an HTTPS address that forwards to *url*; its authority is in `authority.pem`.

    Its certificate is for *name*.
    """
    context = server_context(folder, [name], trusted=True)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    target = urlsplit(url)

    def relayed(request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=5)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            found = connection.getresponse()
            text = found.read()
        answered = f"HTTP/1.1 {found.status} {found.reason}\r\n"
        answered += f"Content-Type: {found.headers['Content-Type']}\r\n"
        answered += f"Date: {found.headers['Date']}\r\n"
        answered += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        return answered.encode() + text

    with (
        socket.create_server((address, 0), family=family) as listener,
        _served(listener, relayed, lambda one: context.wrap_socket(one, server_side=True)),
    ):
        yield f"https://{_address(listener)}"


@contextlib.contextmanager
def waiting_for_each_other(count: int) -> Iterator[tuple[list[Server], threading.Barrier]]:
    """Yield servers that answer their first request once each of them has one, and the barrier.

    The barrier breaks after ten seconds; then the servers answer as well.
    """
    barrier = threading.Barrier(count)
    not_found = answer(status=404, flavor=None)

    def meet(connection: socket.socket) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(10)
        connection.sendall(not_found)

    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(meet, not_found)) for _ in range(count)], barrier


def _certificate(key: ec.EllipticCurvePrivateKey, hosts: list[str], days: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corporate Inspection")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@contextlib.contextmanager
def _served(
    listener: socket.socket,
    reply: bytes | Callable[[bytes], bytes],
    wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection,
) -> Iterator[None]:
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                with wrap(connection) as wrapped:
                    if not stopped.is_set():
                        request = _read_request(wrapped)
                        wrapped.sendall(reply if isinstance(reply, bytes) else reply(request))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        with contextlib.suppress(OSError), socket.create_connection(listener.getsockname()[:2]):
            pass  # wakes accept()
        thread.join()


def _read_request(connection: socket.socket) -> bytes:
    """Read the whole request: closing a socket with unread data resets the connection."""
    seen = b""
    while more := connection.recv(65536):
        seen += more
        head, end, body = seen.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            break
    return seen


def _address(bound: socket.socket) -> str:
    host, port, *_ = bound.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
