"""As much of Google's IAM, Service Usage and GKE APIs as the real gcloud asks for in `setup`.

Paths and answers as in those APIs' references (REST, v1); on loopback, with a token that nobody
looks at.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NUMBER = "104203741234567890123"
_DONE = {"name": "operations/x", "status": "DONE", "done": True, "response": {}}


class GoogleApis:
    """What was made, by kinds.

    Attributes:
        requests: Method and path of each.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Any] = {}
        self.policies: dict[str, Any] = {}
        self.clusters: dict[str, Any] = {}
        self.requests: list[str] = []

    def answer(self, method: str, path: str, body: Any) -> Any:
        """The answer; None for what is not there."""
        if re.search(r"/services[:/]|/operations/", path):
            return {**_DONE, "state": "ENABLED"}
        if found := re.search(r"/serviceAccounts(?:/([^:]+)(?::(\w+))?)?$", path):
            return self._account(method, found[1], found[2], body)
        if found := re.search(r"/clusters(?:/([^/]+))?(/nodePools)?$", path):
            return self._cluster(method, found[1], bool(found[2]), body)
        return None

    def _account(self, method: str, email: str, verb: str, body: Any) -> Any:
        if method == "POST" and email is None:
            email = f"{body['accountId']}@my-project.iam.gserviceaccount.com"
            self.accounts[email] = {"email": email, "uniqueId": NUMBER}
        if email not in self.accounts:
            return None
        if verb == "setIamPolicy":
            self.policies[email] = body["policy"]
        if verb in ("getIamPolicy", "setIamPolicy"):
            return self.policies.get(email, {"etag": "ACAB", "version": 1})
        return self.accounts[email]

    def _cluster(self, method: str, name: str, pools: bool, body: Any) -> Any:
        if method == "POST":
            made = body["cluster"]
            pool = {"workloadPool": "my-project.svc.id.goog"}
            more = {"status": "RUNNING", "endpoint": "127.0.0.1", "location": "europe-west1"}
            more["masterAuth"] = {"clusterCaCertificate": "eA=="}  # type: ignore[assignment]
            if made.get("autopilot", {}).get("enabled"):
                more["workloadIdentityConfig"] = pool  # type: ignore[assignment]
            self.clusters[made["name"]] = {**made, **more}
            return _DONE
        if name is None:
            return {"clusters": [*self.clusters.values()]}
        found = self.clusters.get(name)
        if method == "PUT" and found:
            found["workloadIdentityConfig"] = body["update"]["desiredWorkloadIdentityConfig"]
            return _DONE
        return {"nodePools": found["nodePools"]} if found and pools else found


@contextmanager
def serving(folder: Path) -> Iterator[tuple[GoogleApis, dict[str, str]]]:
    """The APIs, and what makes gcloud ask them and nobody else."""
    apis = GoogleApis()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            apis.requests.append(f"{self.command} {path}")
            found = apis.answer(self.command, path, json.loads(text or "{}"))
            error = {"error": {"code": 404, "status": "NOT_FOUND", "message": "Not found"}}
            data = json.dumps(error if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            pass

    token = folder / "google-token"
    token.write_text("nobody-looks-at-it")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    environ = {
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
    }
    for api in ("IAM", "CONTAINER", "SERVICEUSAGE"):
        environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] = url
    try:
        yield apis, environ
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
