"""The parts of EKS's API that the real AWS CLI uses in `setup`; moto has no Pod Identity.

Paths, answers and errors follow the API's reference (REST, 2017-11-01); on loopback.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"


class Eks:
    """The resources of the one cluster, `prod`.

    Attributes:
        auto: Whether it has EKS Auto Mode.
    """

    def __init__(self) -> None:
        self.auto = False
        self.addons: list[str] = []
        self.associations: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        """Return the answer; None for a missing resource."""
        found = re.fullmatch(r"/clusters/prod(?:/([a-z-]+)(?:/([\w-]+))?)?", path)
        if found is None:
            return None
        kind, name = found.groups()
        if kind == "addons":
            return self._addon(method, name, body)
        if kind == "pod-identity-associations":
            return self._association(method, name, query, body)
        return {
            "cluster": {
                "name": "prod",
                "arn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod",
                "endpoint": "https://127.0.0.1:9",
                "status": "ACTIVE",
                "certificateAuthority": {"data": "eA=="},
                "identity": {"oidc": {"issuer": ISSUER}},
                "computeConfig": {"enabled": self.auto},
            }
        }

    def _addon(self, method: str, name: str | None, body: Any) -> Any:
        if method == "POST":
            self.addons.append(body["addonName"])
            return {"addon": {"addonName": body["addonName"], "status": "CREATING"}}
        return {"addon": {"addonName": name}} if name in self.addons else None

    def _association(
        self, method: str, name: str | None, query: dict[str, list[str]], body: Any
    ) -> Any:
        if method == "POST":
            made = {**body, "associationId": f"a-{len(self.associations)}"}
            self.associations[made["associationId"]] = made
            return {"association": made}
        if name:
            found = self.associations.get(name)
            return {"association": found} if found else None
        wanted = {key: query[key][0] for key in ("namespace", "serviceAccount") if key in query}
        # A summary, which lacks the role.
        return {
            "associations": [
                {key: value for key, value in one.items() if key != "roleArn"}
                for one in self.associations.values()
                if wanted.items() <= one.items()
            ]
        }


@contextmanager
def serving() -> Iterator[tuple[Eks, str]]:
    """Serve the API and yield its address."""
    eks = Eks()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            body = json.loads(text or "{}")
            found = eks.answer(self.command, parts.path, parse_qs(parts.query), body)
            error = {"message": "No such thing."}
            data = json.dumps(error if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            if found is None:
                self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield eks, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
