"""Published keys of all issuers: OpenID Connect Discovery 1.0, section 4, and JWK sets.

One port serves all issuers; Google is the first. It is for other programs that verify tokens: the
emulated STS reads the key sets in process.
"""

from __future__ import annotations

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
# Google's path, so that logs look familiar (Google Identity, discovery document).
_KEYS = "/oauth2/v3/certs"


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An IAM OIDC provider and its issuer.

    Attributes:
        arn: ARN for `Principal.Federated` of a trust policy.
        issuer: The issuer, which signs tokens.
        jwks_uri: URL of the issuer's published keys.
    """

    arn: str
    issuer: Issuer = field(repr=False)
    jwks_uri: str

    @property
    def url(self) -> str:
        """`iss` of the tokens."""
        return self.issuer.url

    def mint(
        self,
        subject: str = "system:serviceaccount:default:etl",
        audience: str = DEFAULT_AUDIENCE,
        *,
        forged: bool = False,
        **claim_overrides: Any,
    ) -> str:
        """Return a token like a projected Kubernetes service account token."""
        claims = self.issuer.kubernetes_claims(subject, audience, claim_overrides)
        return self.issuer.sign(claims, forged=forged)

    def rotate_signing_key(self, *, retire: bool = False) -> None:
        """Sign with a new key from now on; `retire` removes earlier keys from the key set."""
        self.issuer.rotate(retire=retire)


class Discovery(Service):
    """Published documents of all issuers, each under a number."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._issuers: list[Issuer] = []

    def publish(self, issuer: Issuer) -> None:
        """Serve the documents of an issuer."""
        with self._state:
            if issuer not in self._issuers:
                self._issuers.append(issuer)

    def forget_all_but_first(self) -> None:
        """Remove all issuers except the first."""
        with self._state:
            del self._issuers[1:]

    def root(self, issuer: Issuer) -> str:
        """Return the root URL of an issuer's documents."""
        with self._state:
            number = self._issuers.index(issuer)
        return f"{self.url}/{number}" if number else self.url

    def jwks_uri(self, issuer: Issuer) -> str:
        """Return the URL of an issuer's key set."""
        return self.root(issuer) + _KEYS

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return Reply(405)
        with self._state:
            issuers = list(self._issuers)
        for number, issuer in enumerate(issuers):
            prefix = f"/{number}" if number else ""
            if request.path == prefix + _KEYS:
                return Reply.json(issuer.key_set())
            if request.path == prefix + _CONFIGURATION:
                return Reply.json(self._configuration(issuer))
        return Reply(404)

    def _configuration(self, issuer: Issuer) -> dict[str, object]:
        return {
            "issuer": issuer.url,
            "jwks_uri": self.jwks_uri(issuer),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
