"""The private name of httpx that the library uses, and what httpx expects of an `auth=` object.

All of this is for httpx and for httpx2, its successor, which MCP and anthropic use. Neither is
imported here: the program has imported the one whose client calls the signer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import Any

from gcp_aws_bridge._extra import internal

_LIBRARIES = ("httpx", "httpx2")
# Key of a request's extensions: whether the client of a signed request follows redirects.
_FOLLOWS = "gcp_aws_bridge.follows"
# Attribute of the method that replaces httpx's.
_GUARD = "_guard_of_gcp_aws_bridge"


def _class_with_auth(signer: Any) -> Any:
    """Return the type of *signer*, as a subclass of httpx's `Auth` too if httpx is imported."""
    found = (getattr(sys.modules.get(name), "Auth", None) for name in _LIBRARIES)
    kind: Any = type(signer)
    return _subclass(kind, *(auth for auth in found if auth is not None))


@lru_cache(maxsize=8)
def _subclass(kind: Any, *auths: Any) -> Any:
    return type(kind.__name__, (kind, *auths), {}) if auths else kind


class HttpxAuth:
    """Base class of an object that httpx accepts as its own `Auth`, without importing httpx.

    httpx calls other objects as functions, which block the event loop while they wait. Subclassing
    `Auth` would import httpx in programs that use requests, which takes tenths of a second.
    """

    # `isinstance` reads it after the type, as for objects of `unittest.mock`.
    __class__: Any = property(_class_with_auth)


def body_of(request: Any) -> bytes | None:
    """Return the body of *request*, or None if it is a stream."""
    if isinstance(request.stream, _library(request).ByteStream):
        request.read()  # requests that follow a redirect have not read it
    try:
        body: bytes = request.content
    except RuntimeError:  # httpx.RequestNotRead
        return None
    return body


def without_redirects(request: Any) -> None:
    """Keep the client from following a redirect of *request*.

    httpx copies all headers to the request that follows a redirect, and removes at most
    `Authorization`: another host would receive the session token.

    Raises:
        ConfigError: This release of httpx has another name for the method.
    """
    _guard(_library(request))
    request.extensions[_FOLLOWS] = False


def would_follow(request: Any) -> bool:
    """Return whether the client of *request* would have followed a redirect."""
    return bool(request.extensions.get(_FOLLOWS))


def remove_signature(request: Any, headers: Iterable[str]) -> None:
    """Remove what httpx copied to the *request* that follows a redirect."""
    request.extensions.pop(_FOLLOWS, None)
    for name in headers:
        request.headers.pop(name, None)


def _library(request: Any) -> Any:
    return sys.modules[type(request).__module__.partition(".")[0]]


def _guard(library: Any) -> None:
    # For each request: a program that restores a patched class would remove the guard.
    for client in (library.Client, library.AsyncClient):
        original = internal(library.__name__, client, "_send_handling_redirects")
        if not hasattr(original, _GUARD):
            client._send_handling_redirects = _guarded(original)


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def send(client: Any, request: Any, follow_redirects: bool, history: Any) -> Any:
        if _FOLLOWS in request.extensions:
            request.extensions[_FOLLOWS] |= follow_redirects
            follow_redirects = False
        return original(client, request, follow_redirects, history)

    setattr(send, _GUARD, True)
    return send
