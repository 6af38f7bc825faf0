"""A Kubernetes API server on loopback that has service accounts only.

As strict as kube-apiserver: each request needs the bearer token, and errors are Status objects
with its texts (seen with kube-apiserver 1.20; apimachinery, pkg/api/errors/errors.go).
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

TOKEN = "token-of-the-webhook"
_USER = "system:serviceaccount:gcp-aws-bridge:webhook"
_ACCOUNT = re.compile(r"/api/v1/namespaces/([^/]+)/serviceaccounts/([^/]+)")


class KubernetesApi:
    """The server. It listens until the `with` block ends.

    Args:
        tls: Context of the server; None: plain HTTP.
        version: Its `gitVersion`.

    Attributes:
        accounts: Annotations of service accounts, by namespace and name.
        reads: Accounts that were read, in order.
        forbidden: Whether the user of the token may not get service accounts.
        hook: Called in each request for an account, before the answer.
        token: The bearer token of requests.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, version: str = "v1.33.1") -> None:
        self.accounts: dict[tuple[str, str], dict[str, str]] = {}
        self.reads: list[tuple[str, str]] = []
        self.forbidden = False
        self.hook: Callable[[], object] = lambda: None
        self.token = TOKEN
        self.version = version
        api = self

        class Handler(_Handler):
            server_api = api

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._connections: list[socket.socket] = []
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def __enter__(self) -> KubernetesApi:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def kubeconfig(self, folder: Path, authority: Path | None = None) -> Path:
        """Write a file for KUBECONFIG, and return its path."""
        return self.kubeconfig_of(self.url, folder, authority)

    @staticmethod
    def kubeconfig_of(url: str, folder: Path, authority: Path | None = None) -> Path:
        """Write a file for KUBECONFIG that leads to *url*, and return its path."""
        trusted = {} if authority is None else {"certificate-authority": str(authority)}
        named = {"name": "test"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{**named, "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{**named, "cluster": {"server": url, **trusted}}],
            "users": [{**named, "user": {"token": TOKEN}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))  # which is YAML
        return path

    def close_connections(self) -> None:
        """Close all connections, as an API server that restarts."""
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Return status and body of the answer to a GET request."""
        if headers.get("Authorization") != f"Bearer {self.token}":
            return _failure(401, "Unauthorized", "Unauthorized")
        if path == "/version":
            return 200, {"major": "1", "minor": "", "gitVersion": self.version}
        found = _ACCOUNT.fullmatch(path)
        if found is None:
            return _failure(404, "NotFound", "the server could not find the requested resource")
        namespace, name = account = found.groups()
        self.reads.append(account)
        annotations = self.accounts.get(account)
        self.hook()
        details = {"name": name, "kind": "serviceaccounts"}
        if self.forbidden:
            text = (
                f'serviceaccounts "{name}" is forbidden: User "{_USER}" cannot get resource '
                f'"serviceaccounts" in API group "" in the namespace "{namespace}"'
            )
            return _failure(403, "Forbidden", text, details)
        if annotations is None:
            return _failure(404, "NotFound", f'serviceaccounts "{name}" not found', details)
        metadata = {"name": name, "namespace": namespace, "resourceVersion": "1"}
        more = {"annotations": annotations} if annotations else {}
        return 200, {
            "kind": "ServiceAccount",
            "apiVersion": "v1",
            "metadata": {**metadata, "creationTimestamp": "2026-01-01T12:00:00Z", **more},
        }


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has closed the connection, or does not trust this server."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_api: KubernetesApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def setup(self) -> None:
        super().setup()
        self.server_api._connections.append(self.connection)

    def do_GET(self) -> None:
        status, body = self.server_api.answer(self.path, self.headers)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _failure(
    code: int, reason: str, message: str, details: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    assert HTTPStatus(code)
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        **({"details": details} if details else {}),
        "code": code,
    }
