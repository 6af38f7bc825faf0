"""Verification of web identity tokens as AWS STS does it, up to the trust policy.

Order and codes follow the STS API reference, AssumeRoleWithWebIdentity: a token that cannot be
read, or that nobody vouches for, is `InvalidIdentityToken`; one past its end is
`ExpiredTokenException`. The messages are those that users of STS report.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .answers import AwsError
from .issuer import GOOGLE, Issuer

__all__ = ["Provider", "WebIdentity", "verify"]

_NOT_A_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)

# Clocks differ: RFC 7519, section 4.1.4, allows "some small leeway, usually no more than a few
# minutes". STS does not document its own; it concerns `iat` and `nbf` here, never `exp`.
_LEEWAY_S = 300

# `SubjectFromWebIdentityToken` (STS API reference): 6 to 255 characters.
_SUBJECT_LENGTH = range(6, 256)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider as one AWS account knows it.

    Attributes:
        issuer: Who signs.
        names: What a trust policy may call it (`Principal.Federated`).
        client_ids: Audiences that it admits; `None`: any, as for built-in Google.
    """

    issuer: Issuer
    names: frozenset[str]
    client_ids: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """A verified token: who vouches, for whom, and what a trust policy may ask about it."""

    provider: Provider
    claims: Mapping[str, Any] = field(repr=False)
    subject: str
    audience: str
    context: Mapping[str, tuple[str, ...]]


def verify(
    token: str, find_provider: Callable[[str], Provider | None], now: datetime
) -> WebIdentity:
    """Return the identity that the token proves.

    Args:
        token: As it was sent.
        find_provider: Returns the provider for an `iss`, or `None`.
        now: The present instant.

    Raises:
        AwsError: `InvalidIdentityToken` or `ExpiredTokenException`.
    """
    header, claims, signed, signature = _decode(token)
    issuer_url = claims.get("iss")
    if not isinstance(issuer_url, str) or not issuer_url:
        raise _invalid(_NOT_A_JWT)
    provider = find_provider(issuer_url)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer_url}")
    _check_signature(header, signed, signature, provider.issuer)
    _check_times(claims, int(now.timestamp()))
    subject = claims.get("sub")
    if not isinstance(subject, str) or len(subject) not in _SUBJECT_LENGTH:
        raise _invalid("Invalid token subject")
    audience = _audience(claims, provider)
    context = _context(provider.issuer.url, claims, subject, audience)
    return WebIdentity(provider, claims, subject, audience, context)


def _decode(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Split the compact form (RFC 7515, section 7.1) without believing any of it."""
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise _invalid(_NOT_A_JWT)
    try:
        raw = [
            base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
            for part in parts
        ]
        header, claims = json.loads(raw[0]), json.loads(raw[1])
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid(_NOT_A_JWT) from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _invalid(_NOT_A_JWT)
    return header, claims, f"{parts[0]}.{parts[1]}".encode(), raw[2]


def _check_signature(
    header: Mapping[str, Any], signed: bytes, signature: bytes, issuer: Issuer
) -> None:
    """Verify RS256 with the published key. What the header claims must not choose the algorithm.

    RFC 8725, section 3.1: `none`, HMAC and the rest are refused before any key is looked at.
    """
    if header.get("alg") != "RS256" or "crit" in header:
        raise _invalid(_NOT_A_JWT)
    key = issuer.verification_key(str(header.get("kid")))
    if key is None:
        raise _invalid(_NO_KEY)
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise _invalid("Token signature invalid") from None


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    for name in ("exp", "iat"):
        if not _is_number(claims.get(name)):
            raise _invalid(f"Missing or malformed claim in the token: {name}")
    if "nbf" in claims and not _is_number(claims["nbf"]):
        raise _invalid("Missing or malformed claim in the token: nbf")
    expires = int(claims["exp"])
    if now >= expires:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the expiration "
            f"date/time {expires}",
        )
    if max(claims["iat"], claims.get("nbf", claims["iat"])) > now + _LEEWAY_S:
        raise _invalid("Token is not yet valid")


def _is_number(value: object) -> bool:
    """Tell whether this is a NumericDate (RFC 7519, section 2). `bool` is an int in Python."""
    if isinstance(value, bool):
        return False
    # JSON as Python reads it has NaN and infinities; neither is a date.
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < 1e15)


def _audience(claims: Mapping[str, Any], provider: Provider) -> str:
    """Return what AWS calls the audience: `azp` when there is one, else `aud`.

    IAM user guide, "Available keys for AWS OIDC federation": `accounts.google.com:aud`. With a
    list of client ids (a provider created in the account), `aud` or `azp` must be among them.
    """
    audiences, azp = _strings(claims.get("aud")), _strings(claims.get("azp"))
    if not audiences:
        raise _invalid("Incorrect token audience")
    if provider.client_ids is None:
        return (azp or audiences)[0]
    admitted = [value for value in (*azp, *audiences) if value in provider.client_ids]
    if not admitted:
        raise _invalid("Incorrect token audience")
    return azp[0] if azp else admitted[0]


def _context(
    issuer_url: str, claims: Mapping[str, Any], subject: str, audience: str
) -> dict[str, tuple[str, ...]]:
    """Return the condition keys that the provider gives, in lower case: keys have no case.

    IAM user guide, "IAM and AWS STS condition context keys": the prefix is the issuer without
    its scheme; Google alone has `oaud` (the token's own `aud`) and the organization's number.
    """
    prefix = issuer_url.partition("://")[2].lower()
    context: dict[str, tuple[str, ...]] = {
        f"{prefix}:aud": (audience,),
        f"{prefix}:sub": (subject,),
    }
    if amr := _strings(claims.get("amr")):
        context[f"{prefix}:amr"] = amr
    if issuer_url == GOOGLE:
        context[f"{prefix}:oaud"] = _strings(claims.get("aud"))
        google = claims.get("google")
        number = google.get("organization_number") if isinstance(google, dict) else None
        if number is not None:
            context[f"{prefix}:google/organization_number"] = (str(number),)
    return context


def _strings(value: object) -> tuple[str, ...]:
    """Return a claim that may be one string or a list of them (RFC 7519, section 4.1.3)."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
