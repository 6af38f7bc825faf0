"""Emulated AWS Sign-In: refreshes the credentials of `aws login`.

Written from the AWS Sign-In API reference, CreateOAuth2Token with a refresh token, and RFC 9449
(DPoP). `sign_in` replaces the sign-in itself, which needs a browser.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gcp_aws_bridge.emulator import jws
from gcp_aws_bridge.emulator.accounts import Accounts, Key, Role
from gcp_aws_bridge.emulator.clock import Clock
from gcp_aws_bridge.emulator.faults import Fault
from gcp_aws_bridge.emulator.requestlog import Recorded
from gcp_aws_bridge.emulator.server import Reply
from gcp_aws_bridge.emulator.service import Service

__all__ = ["CLIENT_ID", "SignedIn", "Signin"]

_PATH = "/v1/token"
CLIENT_ID = "arn:aws:signin:::devtools/same-device"
"""Client id of the AWS CLI and SDKs on the machine whose browser was used."""

# AWS CLI user guide, "Login for AWS local development using console credentials": credentials for
# 15 minutes, a session for up to twelve hours.
_LIFETIME = timedelta(minutes=15)
_SESSION = timedelta(hours=12)
_LEEWAY_S = 300


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A console session of a signed-in user.

    Attributes:
        role: Role of the session.
        name: Session name.
        public_key: Public key of the key pair that signs each refresh.
        ends: Time after which the user must sign in again.
    """

    role: Role
    name: str
    public_key: ec.EllipticCurvePublicKey = field(repr=False)
    ends: datetime


class Signin(Service):
    """signin.aws.amazon.com on one port."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        super().__init__(clock)

    def forget(self) -> None:
        """Invalidate all refresh tokens, as a change of the password does."""
        with self._state:
            self._sessions: dict[str, SignedIn] = {}

    def sign_in(
        self, role: Role, name: str, public_key: ec.EllipticCurvePublicKey
    ) -> tuple[Key, str]:
        """Return credentials of a role, and a refresh token."""
        return self._issue(SignedIn(role, name, public_key, self._clock() + _SESSION))

    def _issue(self, session: SignedIn) -> tuple[Key, str]:
        """Issue credentials and a refresh token, which works once."""
        token = secrets.token_urlsafe(80)
        with self._state:
            self._sessions[token] = session
        ends = (self._clock() + _LIFETIME).replace(microsecond=0)
        return self._accounts.issue(session.role, session.name, ends, None), token

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.path != _PATH or request.method != "POST":
            return _refused("RESOURCE_NOT_FOUND", "Not found", 404)
        try:
            fields = json.loads(request.body)
            token = str(fields["refreshToken"])
            supported = (fields["clientId"], fields["grantType"]) == (CLIENT_ID, "refresh_token")
        except (ValueError, TypeError, LookupError, RecursionError):
            supported, token = False, ""
        if not supported:
            return _refused("INVALID_REQUEST", "The request is not a refresh request.")
        now = self._clock()
        with self._state:
            session = self._sessions.get(token)
        if session is None or now >= session.ends:
            return _refused("TOKEN_EXPIRED", "The refresh token has expired.")
        proof = request.headers.get("DPoP", "")
        if not _proves(proof, session.public_key, self.url + _PATH, now):
            return _refused("INVALID_REQUEST", "The DPoP proof is invalid.")
        with self._state:  # a token works once, also for simultaneous requests
            if self._sessions.pop(token, None) is None:
                return _refused("TOKEN_EXPIRED", "The refresh token has expired.")
        key, following = self._issue(session)
        answer = {
            "accessToken": {
                "accessKeyId": key.access_key_id,
                "secretAccessKey": key.secret_access_key,
                "sessionToken": key.session_token,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": int(_LIFETIME.total_seconds()),
            "refreshToken": following,
        }
        return Reply(200, json.dumps(answer).encode())


def _proves(proof: str, key: ec.EllipticCurvePublicKey, url: str, now: datetime) -> bool:
    """Return whether the key signed this proof, for this request (RFC 9449, section 4.3)."""
    try:
        token = jws.decode(proof)
    except ValueError:
        return False
    header, claims = token.header, token.claims
    if (header.get("typ"), header.get("alg")) != ("dpop+jwt", "ES256"):
        return False
    if not _is_key(header.get("jwk"), key) or len(token.signature) != 64:
        return False
    halves = (int.from_bytes(token.signature[at : at + 32], "big") for at in (0, 32))
    try:
        key.verify(encode_dss_signature(*halves), token.signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    recent = jws.is_date(claims.get("iat")) and (
        claims["iat"] - _LEEWAY_S <= now.timestamp() <= claims["iat"] + _LEEWAY_S
    )
    return recent and (claims.get("htm"), claims.get("htu")) == ("POST", url)


def _is_key(jwk: object, key: ec.EllipticCurvePublicKey) -> bool:
    numbers = key.public_numbers()
    expected: Mapping[str, Any] = {
        name: base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
        for name, number in (("x", numbers.x), ("y", numbers.y))
    }
    return jwk == {"kty": "EC", "crv": "P-256", **expected}


def _refused(code: str, message: str, status: int = 403) -> Reply:
    """Return an error of the rest-json protocol."""
    body = json.dumps({"error": code, "message": message})
    return Reply(status, body.encode(), (("x-amzn-ErrorType", "AccessDeniedException"),))
