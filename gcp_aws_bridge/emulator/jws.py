"""Signed tokens in the compact form of RFC 7515: decoding and signature verification.

Callers check the claims, and report errors with the messages of their cloud.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["Jws", "decode", "is_date", "strings"]


@dataclass(frozen=True, slots=True)
class Jws:
    """A decoded token: header, claims, signed bytes and signature."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def is_rs256(self) -> bool:
        """True if the algorithm in the header is RS256, without extensions.

        RFC 8725, section 3.1: other algorithms (`none`, HMAC) are rejected before any key is used.
        """
        return self.header.get("alg") == "RS256" and "crit" not in self.header

    def is_signed_by(self, key: rsa.RSAPublicKey) -> bool:
        """Return whether this key made the signature, always by RS256."""
        try:
            key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def decode(token: str) -> Jws:
    """Decode the compact form (RFC 7515, section 7.1).

    Raises:
        ValueError: The token is malformed.
    """
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise ValueError("not three parts")
    try:
        raw = [
            base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
            for part in parts
        ]
        header, claims = json.loads(raw[0]), json.loads(raw[1])
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("not base64url of JSON") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("not JSON objects")
    return Jws(header, claims, f"{parts[0]}.{parts[1]}".encode(), raw[2])


def is_date(value: object) -> bool:
    """Return whether this is a NumericDate (RFC 7519, section 2). `bool` is an int in Python."""
    if isinstance(value, bool):
        return False
    # Python's JSON parser accepts NaN and infinities, which are not dates.
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < 1e15)


def strings(value: object) -> tuple[str, ...]:
    """Return a claim that is a string or a list of strings (RFC 7519, section 4.1.3)."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)
