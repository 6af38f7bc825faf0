"""The emulated GKE metadata server.

Paths and rules are those of the Compute Engine documentation ("About VM metadata", "View and query
VM metadata", "Verifying the identity of instances") and of GKE's ("About Workload Identity
Federation for GKE"); words that no document gives are those that users of GKE report.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .clock import Clock
from .faults import Fault
from .googleiam import GoogleIam, of_pod
from .identity import ServiceAccount
from .issuer import LIFETIME_S, Issuer
from .requestlog import Recorded
from .server import Reply
from .service import Service

__all__ = ["Metadata"]

# Compute Engine, "Authenticate workloads to Google Cloud APIs using service accounts": the server
# caches access tokens until five minutes before they expire. Identity tokens are kept alike.
_FRESH_MARGIN_S = 300

_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
_ZONE = "europe-west4-a"
_CLUSTER = "demo"
_TEXT = "application/text"
# Values that are numbers where the answer is JSON.
_NUMBERS = frozenset({"id", "numeric-project-id"})

_NOT_LINKED = """\
Your Kubernetes service account ({0.namespace}/{0.kubernetes_name}) is not annotated with a target \
Google service account, which is a requirement for retrieving Identity Tokens using Workload \
Identity.
Please add the iam.gke.io/gcp-service-account=[GSA_NAME]@[PROJECT_ID] annotation to your \
Kubernetes service account.
Refer to https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
"""


@dataclass(frozen=True, slots=True)
class _Question:
    """A request, and what a fault says about the token in its answer."""

    request: Recorded
    remaining_s: float | None

    def param(self, name: str) -> str:
        return self.request.params.get(name, "")


@dataclass(frozen=True, slots=True)
class _Cached:
    value: str = field(repr=False)
    expires: datetime


class Metadata(Service):
    """GKE's metadata server, as the pod of one service account sees it.

    Attributes:
        linked: Whether the pod's Kubernetes service account is linked to a Google one.
    """

    def __init__(
        self,
        account: ServiceAccount,
        google: Issuer,
        iam: GoogleIam,
        clock: Clock,
        port: int = 0,
    ) -> None:
        super().__init__(clock, port)
        self.linked = True
        self._account = account
        self._google = google
        self._iam = iam
        self._cache_lock = threading.Lock()
        self._cache: dict[tuple[str, ...], _Cached] = {}

    def reset(self) -> None:
        """Forget requests, faults, latency and cached tokens."""
        super().reset()
        self.forget_tokens()

    def forget_tokens(self) -> None:
        """Empty the cache of tokens, as a restart of the server does."""
        with self._cache_lock:
            self._cache = {}

    def has(self, fault: Fault) -> bool:
        return fault.error is None

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Metadata-Flavor", "Google"),
            ("Server", "GKE Metadata Server"),
            ("Content-Type", _TEXT),
        )

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        # "About VM metadata": requests must have this header, and those that a proxy has
        # forwarded are refused.
        if request.headers.get("X-Forwarded-For") is not None:
            return _error(403, "Request contains the header X-Forwarded-For")
        if request.headers.get("Metadata-Flavor") != "Google":
            # Google's Go library asks for the root without it, to tell where it runs
            # (cloud.google.com/go/compute/metadata, testOnGCE).
            if request.path in ("", "/") and request.method in ("GET", "HEAD"):
                return Reply(200, "".join(f"{name}/\n" for name in self._tree()).encode())
            return _error(403, 'Missing required header "Metadata-Flavor": "Google"')
        if request.method not in ("GET", "HEAD"):
            return _error(405, "Method Not Allowed")
        return self._find(_Question(request, fault.remaining_s if fault else None))

    # The tree: a directory is a dict, a value a string or a tuple of strings; a token is made.

    def _tree(self) -> dict[str, Any]:
        account = self._account
        instance: dict[str, Any] = {
            "attributes": {
                "cluster-location": _ZONE,
                "cluster-name": _CLUSTER,
                "cluster-uid": "5b9c0e3f4a7d4e1c8f2a6d7b3c1e0f9a",
            },
            "hostname": f"gke-demo-pool-1.{_ZONE}.c.{account.project_id}.internal",
            "id": "7012345678901234567",
            "service-accounts": {
                "default": self._account_tree(),
                self._email(): self._account_tree(),
            },
            "zone": f"projects/{account.project_number}/zones/{_ZONE}",
        }
        project = {
            "numeric-project-id": account.project_number,
            "project-id": account.project_id,
        }
        universe = {"universe-domain": "googleapis.com"}
        version = {"instance": instance, "project": project, "universe": universe}
        return {"computeMetadata": {"v1": version}}

    def _account_tree(self) -> dict[str, Any]:
        return {
            "aliases": ("default",),
            "email": self._email(),
            "identity": self._identity,
            "scopes": _SCOPES,
            "token": self._token,
        }

    def _email(self) -> str:
        return self._account.email if self.linked else self._account.workload_pool

    def _find(self, question: _Question) -> Reply:
        path = question.request.path
        node: Any = self._tree()
        for name in filter(None, path.split("/")):
            if not isinstance(node, dict) or name not in node:
                return _error(404, "Not Found")
            node = node[name]
        if isinstance(node, dict):
            return _directory(node, question)
        if path.endswith("/"):  # a value is not a directory
            return _error(404, "Not Found")
        return _value(node, question) if isinstance(node, (str, tuple)) else node(question)

    # Tokens.

    def _identity(self, question: _Question) -> Reply:
        audience = question.param("audience")
        if not audience:
            return _error(400, "non-empty audience parameter required", _TEXT)
        if not self.linked:
            return Reply(404, _NOT_LINKED.format(self._account).encode())
        full = question.param("format") == "full"

        def mint(expires: datetime) -> str:
            end = int(expires.timestamp())
            claims: dict[str, Any] = {"exp": end, "iat": end - LIFETIME_S}
            if full:
                claims |= {"email": self._account.email, "email_verified": True}
            return self._google.sign(
                self._google.google_claims(self._account.unique_id, audience, claims)
            )

        found = self._cached(("identity", audience, str(full)), mint, question.remaining_s)
        return Reply(200, found.value.encode())

    def _token(self, question: _Question) -> Reply:
        scopes = question.param("scopes")

        def mint(expires: datetime) -> str:
            asked = frozenset(scopes.split(",") if scopes else _SCOPES)
            return self._iam.issue(of_pod(self._account, self.linked, asked, expires))

        key = ("token", self._email(), scopes)
        found = self._cached(key, mint, question.remaining_s)
        remaining_s = int((found.expires - self._clock()).total_seconds())
        return _json(
            {"access_token": found.value, "expires_in": remaining_s, "token_type": "Bearer"}
        )

    def _cached(
        self,
        key: tuple[str, ...],
        mint: Callable[[datetime], str],
        remaining_s: float | None,
    ) -> _Cached:
        """Return a cached token that has five minutes left, or a new one, which is cached."""
        now = self._clock()
        if remaining_s is not None:
            expires = _later(now, remaining_s)
            return _Cached(mint(expires), expires)
        with self._cache_lock:
            found = self._cache.get(key)
            if found is None or _later(now, _FRESH_MARGIN_S) >= found.expires:
                expires = _later(now, LIFETIME_S)
                found = self._cache[key] = _Cached(mint(expires), expires)
            return found


def _later(instant: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(instant.timestamp() + seconds, tz=instant.tzinfo)


def _directory(node: dict[str, Any], question: _Question) -> Reply:
    """List a directory, or (`?recursive=true`) give all that is below it, as JSON."""
    path, query = question.request.path, question.request.query
    if not path.endswith("/"):
        return Reply(301, b"", (("Location", f"{path}/{f'?{query}' if query else ''}"),))
    if question.param("recursive").lower() == "true":
        return _json(_recursive(node))
    names = (f"{name}/" if isinstance(child, dict) else name for name, child in node.items())
    return Reply(200, "".join(f"{name}\n" for name in names).encode())


def _value(value: str | tuple[str, ...], question: _Question) -> Reply:
    """Give one value, as text or ("?alt=json", documented for all of them) as JSON."""
    if question.param("alt") == "json":
        return _json(value)
    text = value if isinstance(value, str) else "".join(f"{line}\n" for line in value)
    return Reply(200, text.encode())


def _recursive(node: dict[str, Any]) -> dict[str, Any]:
    """Return a directory's content; tokens are left out ("aggregating contents")."""
    found: dict[str, Any] = {}
    for name, child in node.items():
        if isinstance(child, dict):
            # Attributes keep their names, which users choose.
            found[_camel(name)] = dict(child) if name == "attributes" else _recursive(child)
        elif isinstance(child, (str, tuple)):
            found[_camel(name)] = int(str(child)) if name in _NUMBERS else child
    return found


def _camel(name: str) -> str:
    """Return the JSON name of an entry: `service-accounts` is `serviceAccounts` there."""
    if "@" in name or "." in name:
        return name
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _json(value: object) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(200, body, (("Content-Type", "application/json"),))


def _error(status: int, message: str, content_type: str = "text/plain; charset=utf-8") -> Reply:
    headers = (("Content-Type", content_type), ("X-Content-Type-Options", "nosniff"))
    return Reply(status, f"{message}\n".encode(), headers)
