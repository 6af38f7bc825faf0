"""The parts of Google's APIs that the real gcloud uses in `setup`: IAM, GKE, services, projects,
and one resource of each other platform.

Paths and answers follow those APIs' references (REST, v1); on loopback, with a token that is not
checked.
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
from urllib.parse import parse_qs, urlsplit

NUMBER = "104203741234567890123"
PROJECT_NUMBER = "345678901234"
# A resource of Compute Engine, Cloud Run (in the form of Knative), Cloud Run functions, Dataproc,
# Workbench, Cloud Build, Composer.
_RESOURCE = re.compile(
    r"/(?:zones|regions|locations|namespaces)/[^/]+/"
    r"(?:instances|clusters|services|jobs|functions|triggers|environments)/[^/]+$"
)
_DONE = {"name": "operations/x", "status": "DONE", "done": True, "response": {}}


class GoogleApis:
    """The created resources, by kind.

    Attributes:
        resources: Resources of other platforms, by the end of their path; a PATCH changes the
            fields in its mask.
        requests: Method and path of each request.
        bodies: Body and query of each request that changed a resource.
        posted: Path and body of each POST.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Any] = {}
        self.policies: dict[str, Any] = {}
        self.clusters: dict[str, Any] = {}
        self.pools: dict[str, Any] = {}  # pools and their providers, by path
        self.resources: dict[str, Any] = {}
        self.requests: list[str] = []
        self.bodies: list[tuple[Any, dict[str, list[str]]]] = []
        self.posted: list[tuple[str, Any]] = []

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        """Return the answer; None for a missing resource."""
        if method == "POST":
            self.posted.append((path, body))
        if (found := _RESOURCE.search(path)) and not re.search("/locations/.*/clusters/", path):
            return self._resource(method, found[0], query, body)
        found = re.search(r"/(workloadIdentityPools(?:/.+)?)$", path)
        if found and "/operations/" not in path:
            return self._pool(method, found[1], query, body)
        if found := re.search(r"/v1/projects/([a-z0-9-]+)(?::(\w+))?$", path):
            return self._project(found[1], found[2], body)
        if re.search(r"/services[:/]|/operations/", path):
            return {**_DONE, "state": "ENABLED"}
        if found := re.search(r"/serviceAccounts(?:/([^:]+)(?::(\w+))?)?$", path):
            return self._account(method, found[1], found[2], body)
        if found := re.search(r"/locations/[^/]+/clusters(?:/([^/]+))?(/nodePools)?$", path):
            return self._cluster(method, found[1], bool(found[2]), body)
        return None

    def _resource(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        found = self.resources.get(path)
        if found is not None and method in ("PUT", "PATCH"):
            self.bodies.append((body, query))
            found.update(body)
        return found

    def _pool(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        if method == "POST":
            [name] = [value[0] for key, value in query.items() if key.endswith("Id")]
            if f"{path}/{name}" in self.pools:
                raise ValueError("ALREADY_EXISTS")
            self.pools[f"{path}/{name}"] = {**body, "state": "ACTIVE"}
            return _DONE
        found = self.pools.get(path)
        if method == "PATCH" and found:
            # Fields in the mask that the body lacks are cleared.
            for field in query["updateMask"][0].split(","):
                member, _, inner = field.partition(".")
                owner = found.setdefault(member, {}) if inner else found
                changed = body.get(member) or {}
                value = changed.get(inner) if inner else body.get(member)
                owner[inner or member] = value
                if value is None:
                    del owner[inner or member]
            return _DONE
        return found

    def _project(self, name: str, verb: str, body: Any) -> Any:
        if verb == "setIamPolicy":
            self.policies[name] = body["policy"]
        if verb in ("getIamPolicy", "setIamPolicy"):
            return self.policies.get(name, {"etag": "ACAB", "version": 1})
        return {"projectId": name, "projectNumber": PROJECT_NUMBER, "lifecycleState": "ACTIVE"}

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


_APIS = (
    *("IAM", "CONTAINER", "SERVICEUSAGE", "CLOUDRESOURCEMANAGER", "COMPUTE", "CLOUDFUNCTIONS"),
    *("DATAPROC", "NOTEBOOKS", "CLOUDBUILD", "COMPOSER", "AIPLATFORM", "STORAGE"),
)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[GoogleApis, dict[str, str]]]:
    """Serve the APIs; yield the environment in which gcloud uses only them."""
    apis = GoogleApis()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            apis.requests.append(f"{self.command} {path}")
            found = apis.answer(self.command, path, query, json.loads(text or "{}"))
            # Compute Engine has the resource in its message, which is all that gcloud shows.
            message = "The resource was not found" if "/compute/" in path else "Not found"
            error = {"error": {"code": 404, "status": "NOT_FOUND", "message": message}}
            data = json.dumps(error if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _answer

        def log_message(self, *_: object) -> None:
            pass

    token = folder / "google-token"
    token.write_text("not-checked")
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
    for api in _APIS:
        environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] = url
    # gcloud puts the region before the host: it is reached through a proxy, which is the server.
    environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"] = "http://run.example/"
    environ |= {"CLOUDSDK_PROXY_TYPE": "http", "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1"}
    environ["CLOUDSDK_PROXY_PORT"] = str(server.server_port)
    try:
        yield apis, environ
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
