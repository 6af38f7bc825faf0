"""Runs applications with uvicorn, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import threading
from asyncio import constants, sslproto
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

import uvicorn

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.server.asgi import App
from gcp_aws_bridge.server.protocols import LARGEST_HEAD, StrictProtocol, TimeLimited

_KEEP_ALIVE_S = 75
# The kubelet gives a pod 30 s to stop; sidecars get the rest of them after the containers.
_GRACE_S = 5
_CONNECTIONS = 4096
# asyncio's buffer of each TLS connection; its 256 KiB exist from the first packet, so that a port
# scan uses up the memory of a pod. RFC 8446, section 5.1: a record has at most 16 KiB.
_TLS_BUFFER = 16 * 1024
_HANDSHAKE_S = 10  # asyncio's 60 s would let clients without a certificate hold connections
# The machine has no such address, or does not support its family.
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Address(NamedTuple):
    """Address to listen on.

    Attributes:
        host: Host or address. None: 127.0.0.1, or ::1 on a machine without IPv4.
        port: Port. 0: any free port.
    """

    host: str | None
    port: int

    def bound(self) -> socket.socket:
        """Return a listening socket.

        Raises:
            ConfigError: The port is taken, or the address is not one of this machine.
        """
        host = self.host or "127.0.0.1"
        try:
            if self.port not in range(65_536):
                raise OverflowError("there is no such port")
            family = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, self.port), family=family, backlog=1024)
        except (OSError, OverflowError, UnicodeError) as error:
            if self.host is None and getattr(error, "errno", None) in _ABSENT:
                return Address("::1", self.port).bound()
            raise ConfigError(
                f"Cannot listen on {quoted(f'{_in_url(host)}:{self.port}')}: "
                f"{getattr(error, 'strerror', None) or error}.",
                fix="use another --port (0 is any free port) or --host.",
                error_id="config/listen",
            ) from None


class Listener(NamedTuple):
    """Application, with the address and protocol at which it is served.

    Attributes:
        address: Where to listen.
        app: The application.
        tls: Context for TLS. None: plain HTTP.
        protocol: uvicorn's protocol.
    """

    address: Address
    app: App
    tls: ssl.SSLContext | None = None
    protocol: type[TimeLimited] = StrictProtocol

    def bound(self) -> socket.socket:
        """Return a listening socket; raises as `Address.bound` does."""
        found = self.address.bound()
        is_limited = self.tls is not None and os.name == "posix"
        return _Limited(fileno=found.detach()) if is_limited else found


class _Limited(socket.socket):
    """A listening socket that closes further connections while too many are open.

    uvicorn limits requests, and so not the connections before a TLS handshake.
    """

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        # POSIX, accept(): it "shall allocate a file descriptor", the lowest that is not open.
        if connection.fileno() > _CONNECTIONS:
            connection.close()
            raise ConnectionAbortedError  # asyncio then waits for the next connection
        return connection, address


@contextlib.contextmanager
def running(
    *apps: tuple[Address, App] | Listener,
    grace_s: int = _GRACE_S,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Iterator[list[str]]:
    """Serve each application at its address, in a thread, until the block ends.

    Args:
        *apps: Applications with their addresses.
        grace_s: Time limit for pending requests after the block; they are then answered with 503.
        beside: Coroutine function that runs on the same event loop, and is cancelled after the last
            answer.

    Yields:
        The URLs of the applications, in the same order, once all listen.

    Raises:
        ConfigError: An address cannot be listened on.
    """
    listeners = [Listener(*app) for app in apps]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(contextlib.closing(one.bound())) for one in listeners]
        names = [bound.getsockname()[:2] for bound in sockets]
        if len({port for _, port in names}) < len(names):
            raise ConfigError(
                "Two listeners have the same port.",
                fix="use different values for --status-port and --port.",
                error_id="config/listen",
            )
        _allow_many_connections()
        servers = [_Server(*one, grace_s) for one in zip(listeners, sockets, strict=True)]
        thread = threading.Thread(
            target=servers[0].run_with,
            args=(servers[1:], beside),
            name="gcp-aws-bridge-server",
            daemon=True,
        )
        thread.start()
        try:
            while not all(server.started for server in servers):
                thread.join(0.005)
                if not thread.is_alive():
                    raise RuntimeError("the server did not start; see the traceback above")
            schemes = ["https" if one.tls else "http" for one in listeners]
            yield [
                f"{scheme}://{_in_url(host)}:{port}"
                for scheme, (host, port) in zip(schemes, names, strict=True)
            ]
        finally:
            for server in servers:
                server.should_exit = True
            thread.join(grace_s + 5)


class _Server(uvicorn.Server):
    """uvicorn's server, which logs no error for requests that are pending when it stops."""

    def __init__(self, listener: Listener, bound: socket.socket, grace_s: int) -> None:
        config = uvicorn.Config(
            listener.app,
            http=listener.protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s + 1,  # logs errors, so it must come after `_cancel`
        )
        config.load()
        config.ssl = listener.tls  # uvicorn's options name files, which it reads once
        if listener.tls:
            _limit_tls()
        super().__init__(config)
        self._bound = bound
        self._grace_s = grace_s
        self._others: Sequence[_Server] = ()
        self._beside: Callable[[], Coroutine[Any, Any, None]] | None = None

    def run_with(
        self,
        others: Sequence[_Server],
        beside: Callable[[], Coroutine[Any, Any, None]] | None,
    ) -> None:
        """Run this server, *others* and *beside* on one event loop until all servers exit."""
        self._others, self._beside = others, beside
        self.run([self._bound])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        others = [one.serve([one._bound]) for one in self._others]
        task = None if self._beside is None else asyncio.create_task(self._beside())
        await asyncio.gather(super().serve(sockets), *others)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(self._grace_s, self._cancel)
        await super().shutdown(sockets)

    def _cancel(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _limit_tls() -> None:
    """Limit what a connection can use before its first request. asyncio has no options for it."""
    sslproto.SSLProtocol.max_size = _TLS_BUFFER  # Python 3.11 and later
    constants.SSL_HANDSHAKE_TIMEOUT = _HANDSHAKE_S


def _allow_many_connections() -> None:
    """Raise the limit of file descriptors, which is often 1,024 in a shell."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * _CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * _CONNECTIONS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
