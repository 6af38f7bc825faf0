"""uvicorn's protocols with limits: `StrictProtocol` is for requests without a body.

`server.bodies` has the one for requests with a body.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from gcp_aws_bridge.server import ambiguous
from gcp_aws_bridge.server.asgi import error_answer

LARGEST_HEAD = 16 * 1024  # bytes: a token and some headers
# On loopback, a request of an SDK arrives in one packet; kube-apiserver waits for at most 30 s.
_WHOLE_REQUEST_S = 10


class TimeLimited(asyncio.Protocol):
    """Mixin for uvicorn's protocols: closes the connection if a request is not complete in time."""

    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # asyncio sets this only for sockets that were created with a protocol number, unlike those
        # of socket.create_server. Without it, an answer in two packets takes 40 ms (Nagle).
        accepted: socket.socket = transport.get_extra_info("socket")
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_more(self) -> None:
        """Start the time limit at the first byte of a request; further bytes do not extend it."""
        if not (self._expects_head() or self.cycle.more_body):
            self._stop_waiting()  # the request is complete, and is being answered
        elif self._timeout is None:
            # Not `close`: with TLS, that waits for the client's answer for 30 s more.
            self._timeout = self.loop.call_later(_WHOLE_REQUEST_S, self.transport.abort)

    def _expects_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


class StrictProtocol(TimeLimited, H11Protocol):
    """uvicorn's protocol with h11, which also rejects ambiguous requests."""

    _head = b""  # of the request that is being received

    def data_received(self, data: bytes) -> None:
        if problem := self._problem(data):
            self.logger.warning(problem)
            self.send_400_response(problem)
            return
        super().data_received(data)

    def _problem(self, data: bytes) -> str:
        """Return what is ambiguous so far. h11 would join folded and repeated headers."""
        problem = ambiguous.in_bytes(self._head[-1:] + data)
        *heads, rest = (self._head + data).split(b"\r\n\r\n")
        self._head = rest[-LARGEST_HEAD:]  # a body may be longer
        # h11 limits only incomplete heads, not a head that arrives in one packet.
        if max(map(len, heads), default=0) > LARGEST_HEAD:
            return "the request is too large"
        return problem or next(filter(None, map(ambiguous.in_head, heads)), "")

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with an error of the container credentials protocol."""
        if self._expects_head():
            body = error_answer(400, "BadRequest", msg).body
            head = (
                "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
                "Connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
