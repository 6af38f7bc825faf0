"""One TLS context of a process for Google's endpoints: reading all certificates takes 40 ms.

Reads `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE`, as requests does.
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
    """requests' adapter, with a context that has the certificates already."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *given: Any, **settings: Any) -> None:
        super().init_poolmanager(*given, ssl_context=self._context, **settings)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **settings)

    def cert_verify(self, conn: Any, *given: Any, **settings: Any) -> None:
        super().cert_verify(conn, *given, **settings)
        conn.ca_certs = conn.ca_cert_dir = None  # else urllib3 reads them for each connection


def adapter() -> SharedContextAdapter | None:
    """Return an adapter for a new session; None where the certificates cannot be read.

    requests then says so, with the first request.
    """
    try:
        return SharedContextAdapter(_context())
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None


def _context() -> ssl.SSLContext:
    """Return the context of this process; a new one where the certificates are others."""
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
        contexts.clear()  # an earlier one is no longer asked for
        found = contexts.setdefault(key, made)
    return found
