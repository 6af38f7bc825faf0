"""TLS context for Google's endpoints, one for a process: loading all certificates takes 40 ms.

Reads `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE`, like requests.
"""

from __future__ import annotations

import os
import ssl
from typing import Any

from gcp_aws_bridge._cache.fork import PerProcess
from gcp_aws_bridge._extra import extra

with extra("google", "requests", "2.20"):
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    from gcp_aws_bridge._tokens.google_connection import BoundedAdapter

_Key = tuple[str, int, int, int]
_contexts: PerProcess[dict[_Key, ssl.SSLContext]] = PerProcess(dict)


class SharedContextAdapter(BoundedAdapter):
    """An adapter for requests with the shared TLS context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **settings)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **settings)

    def cert_verify(self, conn: Any, *args: Any, **settings: Any) -> None:
        super().cert_verify(conn, *args, **settings)
        conn.ca_certs = conn.ca_cert_dir = None  # otherwise urllib3 loads them for each connection


def adapter() -> SharedContextAdapter | None:
    """Return an adapter for a new session; None if the certificates cannot be loaded.

    requests then raises an error for the first request.
    """
    try:
        return SharedContextAdapter(_context())
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None


def _context() -> ssl.SSLContext:
    """Return the context of this process; a new one if the certificates have changed."""
    environ = os.environ
    path = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    path = path or DEFAULT_CA_BUNDLE_PATH
    seen = os.stat(path)
    key = (path, seen.st_ino, seen.st_mtime_ns, seen.st_size)
    contexts = _contexts.get()
    found = contexts.get(key)
    if found is None:
        folder = os.path.isdir(path)
        made = ssl.create_default_context(
            cafile=None if folder else path, capath=path if folder else None
        )
        contexts.clear()  # earlier certificates are not used any more
        found = contexts.setdefault(key, made)
    return found
