"""As much of ASGI as answers of one piece need: a request, an answer, and who is not answered."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, NamedTuple

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge.exceptions import quoted

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_log = logging.getLogger("gcp_aws_bridge.access")


class Request(NamedTuple):
    """Of an HTTP request, what an answer depends on. Header names in lower case."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    query: bytes = b""

    def __repr__(self) -> str:
        return f"<Request {self.method} {quoted(self.path)}>"  # the headers have the token


class Answer(NamedTuple):
    """An HTTP answer, body and all."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"


def refusal(status: int, code: str, message: str) -> Answer:
    """A failure in the words of the container-credentials protocol.

    AWS's servers write them small; the SDK for JavaScript shows those in capitals only.
    """
    said = {"code": code, "message": message, "Code": code, "Message": message}
    return Answer(status, json.dumps(said).encode())


def application(
    handle: Callable[[Request], Awaitable[Answer]],
    *,
    hosts: frozenset[str] | None = None,
    log_all: bool = True,
    world: World = REAL,
) -> App:
    """An ASGI application of GET requests: what *handle* answers, but to those who are not meant.

    Args:
        hosts: Names that it may be called by, besides `localhost` and any address. None: of a
            server that has no option to allow any.
        log_all: Whether answers of 200 are logged, too; a probe has one each second.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started_s = world.monotonic()
        headers = {name: value for name, value in scope["headers"]}
        request = Request(scope["method"], scope["path"], headers, scope["query_string"])
        try:
            answer = _guard(request, hosts) or await handle(request)
        except asyncio.CancelledError:  # by the server, which ends: this task does no more
            answer = refusal(503, "Stopping", "this endpoint ends")
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (b"content-type", answer.content_type.encode()),
                    (b"content-length", b"%d" % len(answer.body)),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                    *answer.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})
        if answer.status == 200 and not log_all:
            return
        _log.info(
            "%s",
            json.dumps(
                {
                    "method": request.method,
                    "path": quoted(request.path)[1:-1],
                    "status": answer.status,
                    "ms": round((world.monotonic() - started_s) * 1000, 1),
                    "client": (scope.get("client") or ("",))[0],
                }
            ),
        )

    return app


def _guard(request: Request, hosts: frozenset[str] | None) -> Answer | None:
    """What a request that is not meant gets; None for one that may be answered."""
    # A page from elsewhere cannot leave these out (Fetch standard: forbidden request headers).
    site = request.headers.get(b"sec-fetch-site", b"none")
    if b"origin" in request.headers or site != b"none":
        return refusal(403, "Forbidden", "browsers are not answered")
    if not _may_be_called(request.headers.get(b"host", b"").decode("latin-1"), hosts or ()):
        option = "" if hosts is None else ", or serve --allow-host"
        return refusal(403, "Forbidden", f"this host name is not mine: use an address{option}")
    if request.method != "GET":
        return refusal(405, "MethodNotAllowed", "GET is the only method")
    return None


def _may_be_called(host: str, hosts: Collection[str]) -> bool:
    """Whether no page elsewhere can have had its own name resolve to this machine (DNS rebinding).

    An address is never looked up, and `localhost` only here (RFC 6761 section 6.3).
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().rstrip(".")
    if name == "localhost" or name in hosts:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
