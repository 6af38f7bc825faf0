"""An API server for `lookup`, which answers what Helm asks before it renders."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KINDS = {
    "v1": ["Secret", "Service", "ServiceAccount"],
    "admissionregistration.k8s.io/v1": ["MutatingWebhookConfiguration"],
    "apps/v1": ["Deployment"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
    "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding"],
}


def discovery() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the paths by which a client learns which kinds there are, and the answers."""
    yield "/version", {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
    yield "/api", {"kind": "APIVersions", "versions": ["v1"]}
    groups = []
    for version, kinds in KINDS.items():
        resources = [
            {
                "name": "networkpolicies" if kind == "NetworkPolicy" else f"{kind.lower()}s",
                "singularName": kind.lower(),
                "namespaced": not kind.startswith(("Cluster", "Mutating")),
                "kind": kind,
                "verbs": ["get"],
            }
            for kind in kinds
        ]
        about = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        yield ("/apis/" if "/" in version else "/api/") + version, about
        if "/" in version:
            only = {"groupVersion": version, "version": "v1"}
            group = {"name": version.partition("/")[0], "versions": [only]}
            groups.append({**group, "preferredVersion": only})
    yield "/apis", {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


DISCOVERY = dict(discovery())


class ApiServer:
    """The Secrets that Helm finds, by path, and a kubeconfig file for Helm."""

    def __init__(self, address: str, folder: Path) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.kubeconfig = folder / "kubeconfig"
        cluster = {"name": "test", "cluster": {"server": address}}
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        config = {"clusters": [cluster], "contexts": [context], "current-context": "test"}
        text = json.dumps({"apiVersion": "v1", "kind": "Config", **config})
        self.kubeconfig.write_text(text, encoding="utf-8")

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        found = DISCOVERY.get(path) or self.secrets.get(path)
        if found:
            return 200, found
        failure = {"status": "Failure", "reason": "NotFound", "code": 404}
        return 404, {"kind": "Status", "apiVersion": "v1", **failure}

    def keep(self, secret: dict[str, Any]) -> None:
        """Store a Secret as the API server would."""
        about = secret["metadata"]
        self.secrets[f"/api/v1/namespaces/{about['namespace']}/secrets/{about['name']}"] = secret


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = server.answer(self.path.partition("?")[0])
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server = ApiServer(f"http://127.0.0.1:{listener.server_port}", tmp_path)
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield server
        listener.shutdown()
        thread.join()
