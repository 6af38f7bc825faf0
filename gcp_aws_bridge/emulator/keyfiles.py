"""Key files of service accounts, and Google's token endpoint for JWTs signed with them.

The file has the members of the JSON that `gcloud iam service-accounts keys create` writes. The
exchange follows "Using OAuth 2.0 for Server to Server Applications" (RFC 7523: a JWT signed by the
account, with `target_audience` for an ID token). Error messages are those of that page.

`azp` of such an ID token is the account's e-mail, not its number
(googleapis/google-auth-library-python#746).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .clock import Clock
from .googleiam import GoogleIam, GoogleIdentity
from .identity import ServiceAccount
from .issuer import Issuer
from .jws import decode, is_date
from .oauth import OAuthError, OAuthService
from .requestlog import Recorded

__all__ = ["KeyFiles"]

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"
_LIFETIME_S = 3600
_LEEWAY_S = 300


class KeyFiles(OAuthService):
    """oauth2.googleapis.com on one port, for accounts that have a key file."""

    path = "/token"

    def __init__(self, iam: GoogleIam, google: Issuer, clock: Clock) -> None:
        super().__init__(clock)
        self._iam = iam
        self._google = google

    def forget(self) -> None:
        """Delete all keys."""
        with self._state:
            self._keys: dict[str, tuple[ServiceAccount, Issuer]] = {}

    def key_of(self, account: ServiceAccount) -> dict[str, str]:
        """Create a key for an account. Return the content of its key file."""
        issuer = Issuer(f"key file of {account.email}", self._clock)
        with self._state:
            self._keys[account.email] = account, issuer
        key_id, pem = issuer.private_key()
        return {
            "type": "service_account",
            "project_id": account.project_id,
            "private_key_id": key_id,
            "private_key": pem,
            "client_email": account.email,
            "client_id": account.unique_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{self.url}/token",
            "universe_domain": "googleapis.com",
        }

    def exchange(self, request: Recorded, remaining_s: float | None) -> dict[str, Any]:
        """Exchange a JWT signed by an account for an ID token or an access token."""
        if request.params.get("grant_type") != _GRANT:
            raise OAuthError("unsupported_grant_type", "Invalid grant_type")
        now = self._clock()
        account, claims = self._verified(request.params.get("assertion", ""), now)
        lives_s = float(_LIFETIME_S) if remaining_s is None else remaining_s
        audience = claims.get("target_audience")
        if isinstance(audience, str) and audience:
            made = {"azp": account.email, "email": account.email, "email_verified": True}
            made["exp"] = int(now.timestamp() + lives_s)
            token = self._google.google_claims(account.unique_id, audience, made)
            return {"id_token": self._google.sign(token)}
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise OAuthError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        ends = now + timedelta(seconds=lives_s)
        identity = GoogleIdentity(None, account.email, scopes, ends)
        token_text = self._iam.issue(identity)
        return {"access_token": token_text, "expires_in": int(lives_s), "token_type": "Bearer"}

    def _verified(self, assertion: str, now: datetime) -> tuple[ServiceAccount, Mapping[str, Any]]:
        """Return the account that signed the assertion, and the claims."""
        try:
            jws = decode(assertion)
        except ValueError:
            raise _invalid_grant("Bad Request") from None
        with self._state:
            account, issuer = self._keys.get(str(jws.claims.get("iss")), (None, None))
        if account is None or issuer is None:
            raise _invalid_grant("Invalid grant: account not found")
        key = issuer.verification_key(str(jws.header.get("kid")))
        if not jws.is_rs256 or key is None or not jws.is_signed_by(key):
            raise _invalid_grant("Invalid JWT Signature.")
        if not _is_short_lived(jws.claims, now.timestamp()):
            raise _invalid_grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim."
            )
        if jws.claims.get("aud") not in (_AUDIENCE, f"{self.url}/token"):
            raise _invalid_grant("Invalid JWT: Failed audience check.")
        return account, jws.claims


def _is_short_lived(claims: Mapping[str, Any], now: float) -> bool:
    made, ends = claims.get("iat"), claims.get("exp")
    if not is_date(made) or not is_date(ends):
        return False
    made, ends = float(str(made)), float(str(ends))
    return made - _LEEWAY_S <= now < ends <= made + _LIFETIME_S + _LEEWAY_S


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
