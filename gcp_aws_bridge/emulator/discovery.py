"""Where issuers publish their keys: OpenID Connect Discovery 1.0, section 4, and JWK sets.

One port serves every issuer, Google as the first: a relying party that fetches keys (another
STS, a token checker) is pointed at it. The emulated STS reads the same key sets in process.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .faults import Fault
from .issuer import DEFAULT_AUDIENCE, Issuer
from .requestlog import Recorded
from .server import Reply
from .service import Service

__all__ = ["Discovery", "OidcProvider"]

_CONFIGURATION = "/.well-known/openid-configuration"
# Google's own path, so that it looks familiar in a log (Google Identity, discovery document).
_KEYS = "/oauth2/v3/certs"


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An IAM OIDC provider, and the issuer that it stands for.

    Attributes:
        arn: What `Principal.Federated` of a trust policy calls it.
        issuer: Signs its tokens.
        jwks_uri: Where its keys are published.
    """

    arn: str
    issuer: Issuer = field(repr=False)
    jwks_uri: str

    @property
    def url(self) -> str:
        """`iss` of its tokens."""
        return self.issuer.url

    def mint(
        self,
        subject: str = "system:serviceaccount:default:etl",
        audience: str = DEFAULT_AUDIENCE,
        *,
        forged: bool = False,
        **claim_overrides: Any,
    ) -> str:
        """Return a token as a projected Kubernetes service account token would be."""
        claims = self.issuer.kubernetes_claims(subject, audience, claim_overrides)
        return self.issuer.sign(claims, forged=forged)

    def rotate_signing_key(self, *, retire: bool = False) -> None:
        """Sign with a new key from now on; `retire` takes the earlier ones out of the key set."""
        self.issuer.rotate(retire=retire)


class Discovery(Service):
    """The published documents of all issuers, each under its own number."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._lock = threading.Lock()
        self._issuers: list[Issuer] = []

    def publish(self, issuer: Issuer) -> None:
        """Serve this issuer's documents, if they are not served already."""
        with self._lock:
            if issuer not in self._issuers:
                self._issuers.append(issuer)

    def forget_all_but_first(self) -> None:
        """Go back to the issuer that was published first."""
        with self._lock:
            del self._issuers[1:]

    def root(self, issuer: Issuer) -> str:
        """Return the URL below which an issuer's documents are."""
        with self._lock:
            number = self._issuers.index(issuer)
        return f"{self.url}/{number}" if number else self.url

    def jwks_uri(self, issuer: Issuer) -> str:
        """Return the URL of an issuer's key set."""
        return self.root(issuer) + _KEYS

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return Reply(405)
        with self._lock:
            issuers = list(self._issuers)
        for number, issuer in enumerate(issuers):
            prefix = f"/{number}" if number else ""
            if request.path == prefix + _KEYS:
                return _json(issuer.key_set())
            if request.path == prefix + _CONFIGURATION:
                return _json(self._configuration(issuer))
        return Reply(404)

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        return (("Content-Type", "application/json"),)

    def _configuration(self, issuer: Issuer) -> dict[str, object]:
        return {
            "issuer": issuer.url,
            "jwks_uri": self.jwks_uri(issuer),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode())
