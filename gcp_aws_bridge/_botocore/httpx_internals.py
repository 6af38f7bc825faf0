"""Redirects, `auth=` objects and request bodies of httpx, by its private and public names.

Everything works for httpx and for its successor httpx2, which MCP and anthropic use. This module
imports neither: the program has already imported the library whose client calls the signer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from typing import Any

from gcp_aws_bridge._extra import internal

_LIBRARIES = ("httpx", "httpx2")
# Key in the extensions of a signed request: whether its client would follow a redirect.
_FOLLOWS_REDIRECTS = "gcp_aws_bridge.follows"
# Attribute of the method that replaces httpx's.
_GUARD = "guarded_by_gcp_aws_bridge"


def _class_with_auth(signer: Any) -> Any:
    """Return the type of *signer*; if httpx is imported, as a subclass of its `Auth` as well."""
    found = (getattr(sys.modules.get(name), "Auth", None) for name in _LIBRARIES)
    kind: Any = type(signer)
    return _subclass(kind, *(auth for auth in found if auth is not None))


@lru_cache(maxsize=8)
def _subclass(kind: Any, *auths: Any) -> Any:
    return type(kind.__name__, (kind, *auths), {}) if auths else kind


class HttpxAuth:
    """Base class of objects that httpx accepts as its `Auth`, without an import of httpx.

    httpx calls any other object as a synchronous function, which would block the event loop. A real
    subclass of `Auth` would import httpx in programs that use requests, which takes tenths of a
    second.
    """

    # `isinstance` also checks `__class__`, which `unittest.mock` uses in the same way.
    __class__: Any = property(_class_with_auth)


def body_of(request: Any) -> bytes | None:
    """Return the body of *request*, or None if it is a stream."""
    if isinstance(request.stream, _library(request).ByteStream):
        request.read()  # httpx does not read it in requests that follow a redirect
    try:
        body: bytes = request.content
    except RuntimeError:  # httpx.RequestNotRead
        return None
    return body


def forbid_redirects(request: Any) -> None:
    """Keep the client from following a redirect of *request*.

    httpx copies all headers to the request that follows a redirect, and removes at most
    `Authorization`: another host would receive the session token.

    Raises:
        ConfigError: This release of httpx has another name for the method.
    """
    _guard(_library(request))
    request.extensions[_FOLLOWS_REDIRECTS] = False


def follows_redirects(request: Any) -> bool:
    """Return whether the client of *request* would have followed a redirect."""
    return bool(request.extensions.get(_FOLLOWS_REDIRECTS))


def remove_signature(request: Any, headers: Iterable[str]) -> None:
    """Remove the signature that httpx copied to the *request* that follows a redirect."""
    request.extensions.pop(_FOLLOWS_REDIRECTS, None)
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
        if _FOLLOWS_REDIRECTS in request.extensions:
            request.extensions[_FOLLOWS_REDIRECTS] |= follow_redirects
            follow_redirects = False
        return original(client, request, follow_redirects, history)

    setattr(send, _GUARD, True)
    return send
