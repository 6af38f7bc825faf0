"""Outbound identity federation of AWS: GetWebIdentityToken, an OIDC token for the caller of STS.

Bounds follow the STS API reference, claims the IAM user guide, "Understanding token claims". Tokens
are signed with RS256; the emulator does not support ES384.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .accounts import Key
from .answers import AwsError
from .clock import iso
from .issuer import Issuer
from .parameters import read_tags
from .validation import members, violation

__all__ = ["TokenRequest", "read_request", "web_identity_token"]

_NAMESPACE = "https://sts.amazonaws.com/"
_AUDIENCES = range(1, 11)
_AUDIENCE_LENGTH = range(1, 1001)
_DURATION_S = range(60, 3601)
_DEFAULT_DURATION_S = 300


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Validated parameters of a request."""

    audiences: list[str]
    algorithm: str
    duration_s: int
    tags: Mapping[str, str]


def web_identity_token(
    request: TokenRequest, key: Key, issuer: Issuer, region: str, now: datetime
) -> tuple[str, datetime]:
    """Return a token for the caller, and its expiration.

    Args:
        request: The request.
        key: Key that signed the request.
        issuer: Issuer of the account.
        region: Region in the signature.
        now: The current time.

    Raises:
        AwsError: STS rejects the request.
    """
    expiration = now.replace(microsecond=0) + timedelta(seconds=request.duration_s)
    if key.expiration is not None and expiration > key.expiration:
        raise AwsError(
            "SessionDurationEscalationException",
            "The requested token duration would extend the session beyond its original "
            "expiration time.",
            403,
        )
    audiences = request.audiences
    principal = key.caller.role_arn or key.caller.arn
    about: dict[str, Any] = {
        "aws_account": key.caller.account,
        "principal_id": principal,
        "source_region": region,
    }
    if key.expiration is not None:
        about["original_session_exp"] = iso(key.expiration)
    if request.tags:
        about["request_tags"] = dict(request.tags)
    claims = {
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "exp": int(expiration.timestamp()),
        "iat": int(now.timestamp()),
        "iss": issuer.url,
        "jti": str(uuid.uuid4()),
        "sub": principal,
        _NAMESPACE: about,
    }
    return issuer.sign(claims), expiration


def read_request(params: Mapping[str, str]) -> TokenRequest:
    """Check the parameters of a request.

    Raises:
        AwsError: `ValidationError`.
    """
    audiences = members(params, "Audience")
    if len(audiences) not in _AUDIENCES or any(
        len(audience) not in _AUDIENCE_LENGTH for audience in audiences
    ):
        raise violation("Audience", "must be 1 to 10 items of 1 to 1000 characters")
    algorithm = params.get("SigningAlgorithm")
    if algorithm == "ES384":
        raise violation("SigningAlgorithm", "must be RS256: the emulator does not support ES384")
    if algorithm != "RS256":
        raise violation("SigningAlgorithm", "must be one of RS256, ES384")
    duration = params.get("DurationSeconds", str(_DEFAULT_DURATION_S))
    if not re.fullmatch(r"\d{1,5}", duration, re.ASCII) or int(duration) not in _DURATION_S:
        raise violation("DurationSeconds", "must be a number between 60 and 3600")
    return TokenRequest(audiences, algorithm, int(duration), read_tags(params))
