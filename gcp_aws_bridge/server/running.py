"""Runs applications with uvicorn, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Awaitable, Iterator, Mapping
from typing import NamedTuple

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.server import ambiguous
from gcp_aws_bridge.server.asgi import App, Message, Receive, Send, error_answer

# On loopback, a request of an SDK arrives in one packet.
_WHOLE_REQUEST_S = 10
_LARGEST_REQUEST = 16 * 1024  # bytes of the head: a token and some headers
_KEEP_ALIVE_S = 75
# The kubelet gives a pod 30 s to stop; sidecars get the rest of them after the containers.
_GRACE_S = 5
_CONNECTIONS = 4096
# The machine has no such address, or does not support its family.
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Address(NamedTuple):
    """Address to listen on.

    Attributes:
        host: None: 127.0.0.1, or ::1 on a machine without IPv4.
        port: 0: any free port.
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


@contextlib.contextmanager
def running(*apps: tuple[Address, App], grace_s: int = _GRACE_S) -> Iterator[list[str]]:
    """Serve each application at its address, in a thread, until the block ends.

    Args:
        *apps: Addresses and applications.
        grace_s: Time limit for pending requests after the block; they are then answered with 503.

    Yields:
        The URLs, in the same order; all listen.

    Raises:
        ConfigError: An address cannot be listened on.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(contextlib.closing(at.bound())) for at, _ in apps]
        names = [bound.getsockname()[:2] for bound in sockets]
        by_port = {port: app for (_, port), (_, app) in zip(names, apps, strict=True)}
        if len(by_port) < len(apps):
            raise ConfigError(
                "Two listeners have the same port.",
                fix="use different values for --status-port and --port.",
                error_id="config/listen",
            )
        _allow_many_connections()
        server = _Server(_by_port(by_port), grace_s)
        thread = threading.Thread(
            target=server.run, args=(sockets,), name="gcp-aws-bridge-server", daemon=True
        )
        thread.start()
        try:
            while not server.started:
                thread.join(0.005)
                if not thread.is_alive():
                    raise RuntimeError("the server did not start; see the traceback above")
            yield [f"http://{_in_url(host)}:{port}" for host, port in names]
        finally:
            server.should_exit = True
            thread.join(grace_s + 5)


class _Server(uvicorn.Server):
    """uvicorn's server, which logs no error for requests that are pending at its end."""

    def __init__(self, app: App, grace_s: int) -> None:
        config = uvicorn.Config(
            app,
            http=_Strict,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=_LARGEST_REQUEST,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s + 1,  # logs errors, so it must come after `_cancel`
        )
        super().__init__(config)
        self._grace_s = grace_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(self._grace_s, self._cancel)
        await super().shutdown(sockets)

    def _cancel(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


class _Strict(H11Protocol):
    """uvicorn's protocol, with a time limit for requests, which rejects ambiguous requests."""

    _timeout: asyncio.TimerHandle | None = None
    _head = b""  # of the request that is being received

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets this only for sockets that were created with a protocol number, unlike those
        # of socket.create_server. Without it, an answer in two packets takes 40 ms (Nagle).
        accepted: socket.socket = transport.get_extra_info("socket")
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        if problem := self._problem(data):
            self.logger.warning(problem)
            self.send_400_response(problem)
            return
        super().data_received(data)
        self._expect_more()

    def _problem(self, data: bytes) -> str:
        """Return what is ambiguous so far; h11 would join folded and equal headers."""
        problem = ambiguous.in_bytes(self._head[-1:] + data)
        *heads, rest = (self._head + data).split(b"\r\n\r\n")
        self._head = rest[-_LARGEST_REQUEST:]  # a body may be longer
        # h11 limits only incomplete heads, not a head that arrives in one packet.
        if max(map(len, heads), default=0) > _LARGEST_REQUEST:
            return "the request is too large"
        return problem or next(filter(None, map(ambiguous.in_head, heads)), "")

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with an error of the container credentials protocol."""
        if self.cycle is None or self.cycle.response_complete:
            body = error_answer(400, "BadRequest", msg).body
            head = (
                "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
                "Connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_more(self) -> None:
        """Start the time limit at the first byte of a request; further bytes do not extend it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # the request is complete, and is being answered
        elif self._timeout is None:
            self._timeout = self.loop.call_later(_WHOLE_REQUEST_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


def _by_port(apps: Mapping[int, App]) -> App:
    def app(scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine, whose frame would add the headers to the traceback of an error.
        return apps[scope["server"][1]](scope, receive, send)

    return app


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _allow_many_connections() -> None:
    """Raise the limit of file descriptors, which is often 1,024 in a shell."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * _CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * _CONNECTIONS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
