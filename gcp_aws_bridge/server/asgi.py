"""A small part of ASGI: requests, answers without streaming, and checks of the client."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._traceback import without_frames
from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.server import ambiguous

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_log = logging.getLogger("gcp_aws_bridge.access")
_errors = logging.getLogger("gcp_aws_bridge")


class Request(SecretValue):
    """The used parts of an HTTP request. Names of headers are in lower case."""

    __slots__ = ("headers", "method", "path", "query")

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    query: bytes

    def __init__(
        self, method: str, path: str, headers: Mapping[bytes, bytes], query: bytes = b""
    ) -> None:
        self._set(method=method, path=path, headers=headers, query=query)

    def __repr__(self) -> str:
        return f"<Request {self.method} {quoted(self.path)}>"  # headers contain the token


class Answer(SecretValue):
    """An HTTP answer, whose body may contain credentials."""

    __slots__ = ("body", "content_type", "headers", "status")

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...]

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self._set(status=status, body=body, content_type=content_type, headers=headers)

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"


def error_answer(status: int, code: str, message: str) -> Answer:
    """Return an error of the container credentials protocol.

    AWS's servers use lower-case names; the SDK for JavaScript shows only capitalized ones.
    """
    body = {"code": code, "message": message, "Code": code, "Message": message}
    return Answer(status, json.dumps(body).encode())


def application(
    handle: Callable[[Request], Awaitable[Answer]],
    *,
    hosts: frozenset[str] | None = None,
    log_all: bool = True,
    world: World = REAL,
) -> App:
    """Return an ASGI application that answers GET requests by *handle*, after checks.

    Args:
        handle: Answers a request.
        hosts: Allowed host names besides `localhost` and IP addresses. None: the server has no
            option for them.
        log_all: Whether answers with status 200 are logged, too; probes get one each second.
        world: The clock.
    """

    async def answered(scope: Message, receive: Receive, send: Send) -> None:
        started_s = world.monotonic()
        headers = {name: value for name, value in scope["headers"]}
        request = Request(scope["method"], scope["path"], headers, scope["query_string"])
        answer = await _answer(request, scope, handle, hosts)
        await send_answer(answer, send)
        if answer.status != 200 or log_all:
            _log_access(request, answer, scope, world.monotonic() - started_s)

    return without_tracebacks(answered)


def without_tracebacks(answered: App) -> App:
    """Return *answered*, an application for HTTP, with a short log line for each of its errors."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        failure: BaseException | None = None
        try:
            await answered(scope, receive, send)
        except BaseException as error:  # noqa: BLE001 - logged or raised below
            failure = without_frames(error)
        # The server logs errors with their frames, and this frame contains the headers.
        del scope, receive, send
        if isinstance(failure, Exception):
            _errors.error("The answer could not be sent: %s", _named(failure))
        elif failure is not None:
            try:
                raise failure
            finally:
                del failure

    return app


async def _answer(
    request: Request,
    scope: Message,
    handle: Callable[[Request], Awaitable[Answer]],
    hosts: frozenset[str] | None,
) -> Answer:
    target = scope.get("raw_path") or scope["path"].encode()  # optional in ASGI
    try:
        if problem := ambiguous.in_request(target, scope["headers"]):
            return error_answer(400, "BadRequest", problem)
        return _guard(request, hosts) or await handle(request)
    except asyncio.CancelledError:  # by the server, which is stopping
        return error_answer(503, "Stopping", "this endpoint is stopping")
    except Exception as error:  # noqa: BLE001 - logged, and answered with a short error
        _errors.error("%s failed: %s", quoted(request.path), _named(without_frames(error)))
        return error_answer(500, "InternalError", f"{type(error).__name__}; see the log")


async def send_answer(answer: Answer, send: Send) -> None:
    """Send *answer* with one head and one body."""
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


def _log_access(request: Request, answer: Answer, scope: Message, seconds: float) -> None:
    line = {
        "method": request.method,
        "path": quoted(request.path)[1:-1],
        "status": answer.status,
        "ms": round(seconds * 1000, 1),
        "client": (scope.get("client") or ("",))[0],
    }
    _log.info("%s", json.dumps(line))


def _named(error: BaseException) -> str:
    """Return an error for the log: where it was raised, without local variables."""
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__} {quoted(error, 500)}{notes}"


def _guard(request: Request, hosts: frozenset[str] | None) -> Answer | None:
    """Return the error for a request that must not be answered, or None."""
    # Pages of other sites cannot omit these headers (Fetch standard: forbidden request headers).
    site = request.headers.get(b"sec-fetch-site", b"none")
    if b"origin" in request.headers or site != b"none":
        return error_answer(403, "Forbidden", "browsers are not answered")
    if not _may_be_called(request.headers.get(b"host", b"").decode("latin-1"), hosts or ()):
        option = "" if hosts is None else ", or serve --allow-host"
        return error_answer(
            403, "Forbidden", f"this host name is not allowed: use an IP address{option}"
        )
    if request.method != "GET":
        return error_answer(405, "MethodNotAllowed", "GET is the only method")
    return None


def _may_be_called(host: str, hosts: Collection[str]) -> bool:
    """Return whether another site cannot have pointed *host* to this machine (DNS rebinding).

    IP addresses are never resolved, and `localhost` only locally (RFC 6761 section 6.3).
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
