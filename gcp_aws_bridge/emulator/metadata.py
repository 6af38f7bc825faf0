"""Emulated GKE metadata server.

Paths and rules follow the documentation of Compute Engine ("About VM metadata", "View and query VM
metadata", "Verifying the identity of instances") and of GKE ("About Workload Identity Federation
for GKE"). Messages that are not documented are those that users of GKE report.
"""

from __future__ import annotations

import json
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
# caches access tokens until five minutes before they expire. The same holds for ID tokens.
_FRESH_MARGIN_S = 300

_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
_ZONE = "europe-west4-a"
_CLUSTER = "demo"
_TEXT = "application/text"
# Values that are numbers in JSON answers.
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
class _Query:
    """A request, and the token lifetime that a fault sets."""

    request: Recorded
    remaining_s: float | None

    def param(self, name: str) -> str:
        return self.request.params.get(name, "")


@dataclass(frozen=True, slots=True)
class _Cached:
    value: str = field(repr=False)
    expires: datetime


class Metadata(Service):
    """GKE's metadata server for the pod of one service account.

    Attributes:
        linked: Whether the pod's Kubernetes service account is linked to a Google service account.
    """

    default_headers: tuple[tuple[str, str], ...] = (
        ("Metadata-Flavor", "Google"),
        ("Server", "GKE Metadata Server"),
        ("Content-Type", _TEXT),
    )

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

    def forget(self) -> None:
        """Delete all cached tokens, as a restart of the server does."""
        with self._state:
            self._cache: dict[tuple[str, ...], _Cached] = {}

    forget_tokens = forget

    def has(self, fault: Fault) -> bool:
        return fault.error is None

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        # "About VM metadata": requests must have the header Metadata-Flavor; requests forwarded
        # by a proxy are rejected.
        if request.headers.get("X-Forwarded-For") is not None:
            return _error(403, "Request contains the header X-Forwarded-For")
        if request.headers.get("Metadata-Flavor") != "Google":
            # Google's Go library requests the root without the header to detect Google Cloud
            # (cloud.google.com/go/compute/metadata, testOnGCE).
            if request.path in ("", "/") and request.method in ("GET", "HEAD"):
                return Reply(200, "".join(f"{name}/\n" for name in self._tree()).encode())
            return _error(403, 'Missing required header "Metadata-Flavor": "Google"')
        if request.method not in ("GET", "HEAD"):
            return _error(405, "Method Not Allowed")
        return self._find(_Query(request, fault.remaining_s if fault else None))

    # In the tree, a directory is a dict, a value is a string or a tuple of strings, and a token is
    # a method.

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

    def _find(self, query: _Query) -> Reply:
        path = query.request.path
        node: Any = self._tree()
        for name in filter(None, path.split("/")):
            if not isinstance(node, dict) or name not in node:
                return _error(404, "Not Found")
            node = node[name]
        if isinstance(node, dict):
            return _directory(node, query)
        if path.endswith("/"):  # a value is not a directory
            return _error(404, "Not Found")
        return _value(node, query) if isinstance(node, (str, tuple)) else node(query)

    # Tokens.

    def _identity(self, query: _Query) -> Reply:
        audience = query.param("audience")
        if not audience:
            return _error(400, "non-empty audience parameter required", _TEXT)
        if not self.linked:
            return Reply(404, _NOT_LINKED.format(self._account).encode())
        full = query.param("format") == "full"

        def mint(expires: datetime) -> str:
            end = int(expires.timestamp())
            claims: dict[str, Any] = {"exp": end, "iat": end - LIFETIME_S}
            if full:
                claims |= {"email": self._account.email, "email_verified": True}
            return self._google.sign(
                self._google.google_claims(self._account.unique_id, audience, claims)
            )

        found = self._cached(("identity", audience, str(full)), mint, query.remaining_s)
        return Reply(200, found.value.encode())

    def _token(self, query: _Query) -> Reply:
        scopes = query.param("scopes")

        def mint(expires: datetime) -> str:
            requested = frozenset(scopes.split(",") if scopes else _SCOPES)
            return self._iam.issue(of_pod(self._account, self.linked, requested, expires))

        key = ("token", self._email(), scopes)
        found = self._cached(key, mint, query.remaining_s)
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
        """Return a cached token with five minutes left, or create and cache a token."""
        now = self._clock()
        if remaining_s is not None:
            expires = _later(now, remaining_s)
            return _Cached(mint(expires), expires)
        with self._state:
            found = self._cache.get(key)
            if found is None or _later(now, _FRESH_MARGIN_S) >= found.expires:
                expires = _later(now, LIFETIME_S)
                found = self._cache[key] = _Cached(mint(expires), expires)
            return found


def _later(instant: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(instant.timestamp() + seconds, tz=instant.tzinfo)


def _directory(node: dict[str, Any], query: _Query) -> Reply:
    """List a directory, or (`?recursive=true`) return its whole content as JSON."""
    path, text = query.request.path, query.request.query
    if not path.endswith("/"):
        return Reply(301, b"", (("Location", f"{path}/{f'?{text}' if text else ''}"),))
    if query.param("recursive").lower() == "true":
        return _json(_recursive(node))
    names = (f"{name}/" if isinstance(child, dict) else name for name, child in node.items())
    return Reply(200, "".join(f"{name}\n" for name in names).encode())


def _value(value: str | tuple[str, ...], query: _Query) -> Reply:
    """Return one value, as text or (`?alt=json`) as JSON."""
    if query.param("alt") == "json":
        return _json(value)
    text = value if isinstance(value, str) else "".join(f"{line}\n" for line in value)
    return Reply(200, text.encode())


def _recursive(node: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a directory, without tokens ("aggregating contents")."""
    found: dict[str, Any] = {}
    for name, child in node.items():
        if isinstance(child, dict):
            # Users choose the names of attributes, so they are not converted.
            found[_camel(name)] = dict(child) if name == "attributes" else _recursive(child)
        elif isinstance(child, (str, tuple)):
            found[_camel(name)] = int(str(child)) if name in _NUMBERS else child
    return found


def _camel(name: str) -> str:
    """Return the name of an entry in JSON, such as `serviceAccounts` for `service-accounts`."""
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
