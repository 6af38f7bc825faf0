"""Signed tokens in the compact form of RFC 7515, taken apart and verified; no claim is believed.

Who reads a token says in their own cloud's words what is wrong with it.
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
    """A token as it was sent: header, payload, and what the signature should cover."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def is_rs256(self) -> bool:
        """Whether the header asks for RS256 and no extension.

        RFC 8725, section 3.1: `none`, HMAC and the rest are refused before any key is looked at.
        """
        return self.header.get("alg") == "RS256" and "crit" not in self.header

    def is_signed_by(self, key: rsa.RSAPublicKey) -> bool:
        """Tell whether this key made the signature, by RS256 whatever the header says."""
        try:
            key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def decode(token: str) -> Jws:
    """Split the compact form (RFC 7515, section 7.1).

    Raises:
        ValueError: This is no such token.
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
    """Tell whether this is a NumericDate (RFC 7519, section 2). `bool` is an int in Python."""
    if isinstance(value, bool):
        return False
    # JSON as Python reads it has NaN and infinities; neither is a date.
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < 1e15)


def strings(value: object) -> tuple[str, ...]:
    """Return a claim that may be one string or a list of them (RFC 7519, section 4.1.3)."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)
