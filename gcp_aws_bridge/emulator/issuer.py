"""Issuers of ID tokens (Google, Kubernetes clusters, AWS accounts): keys, key sets, signing.

Key sets follow RFC 7517; tokens follow RFC 7519 in the compact form of RFC 7515. Tests can also
create invalid tokens: with another key, algorithm or claims.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .clock import Clock

__all__ = ["DEFAULT_AUDIENCE", "GOOGLE", "Issuer", "b64url"]

GOOGLE = "https://accounts.google.com"
"""`iss` of ID tokens from Google (Google Identity, "OpenID Connect": validating an ID token)."""

DEFAULT_AUDIENCE = "sts.amazonaws.com"
"""Default audience of ID tokens for AWS."""

LIFETIME_S = 3600
"""Lifetime of Google's ID tokens (Compute Engine, "Verifying the identity of instances")."""

# Key number 0 of this name is in no key set. It signs forged tokens.
_FORGER = "forger"


def b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _segment(value: Mapping[str, Any]) -> str:
    return b64url(json.dumps(value, separators=(",", ":")).encode())


_making = threading.Lock()


def _private_key(owner: str, number: int) -> rsa.RSAPrivateKey:
    """Return key *number* of an owner. It is created once in a process: that takes about 50 ms."""
    with _making:  # otherwise two threads could create different keys, of which one is published
        return _new_private_key(owner, number)


@functools.cache
def _new_private_key(owner: str, number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """An issuer with its signing keys. Safe to share between threads.

    Args:
        url: `iss` of the tokens.
        clock: Returns the current time.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._current = 0
        self._retired = 0
        self._foreign: dict[str, Any] | None = None

    def rotate(self, *, retire: bool = False) -> None:
        """Sign with a new key from now on.

        Args:
            retire: Remove the earlier keys from the key set. Otherwise they stay in it, as with
                Google, so that tokens signed with them remain valid.
        """
        with self._lock:
            self._current += 1
            if retire:
                self._retired = self._current

    def reset(self) -> None:
        """Return to the first key."""
        with self._lock:
            self._current = self._retired = 0
            self._foreign = None

    def publish_keys_of(self, key_set: Mapping[str, Any]) -> None:
        """Publish the keys of a real issuer, such as a Kubernetes API server, instead of its own.

        Tokens of that issuer are then valid, and tokens that this object signs are not.

        Args:
            key_set: Its JWK set: the document at its `jwks_uri`.
        """
        with self._lock:
            self._foreign = json.loads(json.dumps(key_set))

    def key_set(self) -> dict[str, Any]:
        """Return the published keys as a JWK set (RFC 7517, section 5), newest first."""
        with self._lock:
            if self._foreign is not None:
                return self._foreign
            numbers = range(self._current, self._retired - 1, -1)
        return {"keys": [dict(_jwk(self.url, number)) for number in numbers]}

    def verification_key(self, kid: str) -> rsa.RSAPublicKey | None:
        """Return the published key with this id; `None`: there is no such key."""
        for jwk in self.key_set()["keys"]:
            if jwk["kid"] == kid:
                return _public_key(jwk["n"], jwk["e"])
        return None

    def sign(
        self,
        claims: Mapping[str, Any],
        *,
        header: Mapping[str, Any] | None = None,
        forged: bool = False,
    ) -> str:
        """Return a token with these claims.

        Args:
            claims: The payload, which is not changed.
            header: Changes to the header; `None` removes a member. `alg` selects the algorithm:
                RS256; HS256 with the public key as the secret (an algorithm confusion attack);
                any other value: the signature is empty.
            forged: Sign with an unpublished key, but with the id of the current key.
        """
        with self._lock:
            number = self._current
        fields = {
            "alg": "RS256",
            "kid": _jwk(self.url, number)["kid"],
            "typ": "JWT",
            **(header or {}),
        }
        head = _segment(_without_none(fields))
        signed = f"{head}.{_segment(claims)}"
        key = _private_key(_FORGER, 0) if forged else _private_key(self.url, number)
        return f"{signed}.{b64url(_signature(signed.encode(), fields.get('alg'), key))}"

    def sign_bytes(self, data: bytes) -> tuple[str, bytes]:
        """Return the id of the current key, and its RS256 signature of *data*."""
        with self._lock:
            number = self._current
        key = _private_key(self.url, number)
        return _jwk(self.url, number)["kid"], _signature(data, "RS256", key)

    def private_key(self) -> tuple[str, str]:
        """Return the id of the current private key, and the key as PEM, for key files."""
        with self._lock:
            number = self._current
        pem = _private_key(self.url, number).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _jwk(self.url, number)["kid"], pem.decode()

    def google_claims(
        self, unique_id: str, audience: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the claims of a service account's ID token.

        `azp` and `sub` are both the account's unique id, as in tokens of the metadata server and
        of the IAM Credentials API (Google Cloud, "Get an ID token": the token's contents). In
        tokens from a key file, `azp` is the e-mail. An override of `None` removes a claim.
        """
        now = int(self._clock().timestamp())
        claims = {
            "aud": audience,
            "azp": unique_id,
            "exp": now + LIFETIME_S,
            "iat": now,
            "iss": self.url,
            "sub": unique_id,
        }
        return _without_none({**claims, **overrides})

    def kubernetes_claims(
        self, subject: str, audience: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the claims of a projected Kubernetes service account token.

        `aud` is a list (Kubernetes, "Managing Service Accounts": token structure).
        """
        now = int(self._clock().timestamp())
        claims = {
            "aud": [audience],
            "exp": now + LIFETIME_S,
            "iat": now,
            "iss": self.url,
            "nbf": now,
            "sub": subject,
        }
        return _without_none({**claims, **overrides})


@functools.cache
def _jwk(owner: str, number: int) -> Mapping[str, str]:
    """Return the JWK of a key. Its id is derived from its modulus."""
    numbers = _private_key(owner, number).public_key().public_numbers()
    modulus = numbers.n.to_bytes(256, "big")
    return {
        "alg": "RS256",
        "e": b64url(numbers.e.to_bytes(3, "big")),
        "kid": hashlib.sha1(modulus, usedforsecurity=False).hexdigest(),
        "kty": "RSA",
        "n": b64url(modulus),
        "use": "sig",
    }


@functools.lru_cache(maxsize=64)
def _public_key(n: str, e: str) -> rsa.RSAPublicKey:
    """Return a key from its published numbers. Cached, since each exchange needs it."""

    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")

    return rsa.RSAPublicNumbers(number(e), number(n)).public_key()


def _signature(signed: bytes, algorithm: object, key: rsa.RSAPrivateKey) -> bytes:
    if algorithm == "RS256":
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "HS256":
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hmac.new(pem, signed, hashlib.sha256).digest()
    return b""


def _without_none(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}
