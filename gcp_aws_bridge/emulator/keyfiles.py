"""Key files of service accounts, and Google's token endpoint, which takes what they sign.

The file has the members of the JSON that `gcloud iam service-accounts keys create` writes; the
exchange follows "Using OAuth 2.0 for Server to Server Applications" (RFC 7523: a JWT that the
account has signed, with `target_audience` for an ID token). Words of errors are those of that page.

`azp` of such an ID token is the account's e-mail, not its number
(googleapis/google-auth-library-python#746).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .clock import Clock
from .faults import Fault
from .googleiam import GoogleIam, GoogleIdentity
from .identity import ServiceAccount
from .issuer import Issuer
from .jws import decode, is_date
from .requestlog import Recorded
from .server import Reply
from .service import Service
from .subjects import OAuthError

__all__ = ["KeyFiles"]

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"
_LIFETIME_S = 3600
_LEEWAY_S = 300


class KeyFiles(Service):
    """oauth2.googleapis.com on one port, for the accounts that have a key file."""

    def __init__(self, iam: GoogleIam, google: Issuer, clock: Clock) -> None:
        super().__init__(clock)
        self._iam = iam
        self._google = google
        self._keys_lock = threading.Lock()
        self._keys: dict[str, tuple[ServiceAccount, Issuer]] = {}

    def reset(self) -> None:
        """Forget requests, faults, latency, and every key."""
        super().reset()
        with self._keys_lock:
            self._keys.clear()

    def has(self, fault: Fault) -> bool:
        return fault.error is None

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        return (("Content-Type", "application/json; charset=utf-8"),)

    def key_of(self, account: ServiceAccount) -> dict[str, str]:
        """Return the content of a key file of this account; the endpoint takes it from now on."""
        issuer = Issuer(f"key file of {account.email}", self._clock)
        with self._keys_lock:
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

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.path != "/token" or request.method != "POST":
            return Reply(404, b"", (("Content-Type", "text/html; charset=UTF-8"),))
        try:
            answer = self._answer(request.params, fault.remaining_s if fault else None)
        except OAuthError as error:
            refusal = {"error": error.code, "error_description": error.description}
            return Reply(error.status, json.dumps(refusal).encode())
        return Reply(200, json.dumps(answer).encode())

    def _answer(self, asked: Mapping[str, str], remaining_s: float | None) -> dict[str, Any]:
        if asked.get("grant_type") != _GRANT:
            raise OAuthError("unsupported_grant_type", "Invalid grant_type")
        now = self._clock()
        account, claims = self._verified(asked.get("assertion", ""), now)
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
        """Return the account that signed the assertion, and what it says."""
        try:
            jws = decode(assertion)
        except ValueError:
            raise _invalid_grant("Bad Request") from None
        with self._keys_lock:
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
