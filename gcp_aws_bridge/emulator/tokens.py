"""Verification of web identity tokens by AWS STS, before the trust policy is evaluated.

Order and codes follow the STS API reference, AssumeRoleWithWebIdentity: `InvalidIdentityToken` for
a token that is malformed or has no trusted issuer, `ExpiredTokenException` for an expired token.
Messages are those that users of STS report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .answers import AwsError
from .issuer import GOOGLE, Issuer
from .jws import Jws, decode, is_date, strings

__all__ = ["Provider", "WebIdentity", "identify", "verify"]

_NOT_A_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)

# Clocks differ: RFC 7519, section 4.1.4, allows "some small leeway, usually no more than a few
# minutes". The leeway of STS is not documented. Here it applies to `iat` and `nbf`, not to `exp`.
_LEEWAY_S = 300

# `SubjectFromWebIdentityToken` (STS API reference): 6 to 255 characters.
_SUBJECT_LENGTH = range(6, 256)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider in an AWS account.

    Attributes:
        issuer: Issuer of the tokens.
        names: Names of the provider in trust policies (`Principal.Federated`).
        client_ids: Allowed audiences; `None`: all, as for the built-in provider of Google.
    """

    issuer: Issuer
    names: frozenset[str]
    client_ids: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """A verified token: its provider, subject and audience, and its condition keys."""

    provider: Provider
    claims: Mapping[str, Any] = field(repr=False)
    subject: str
    audience: str
    context: Mapping[str, tuple[str, ...]]


def verify(
    token: str, find_provider: Callable[[str], Provider | None], now: datetime
) -> WebIdentity:
    """Return the identity in a token.

    Args:
        token: The token.
        find_provider: Returns the provider for an `iss`, or `None`.
        now: The current time.

    Raises:
        AwsError: `InvalidIdentityToken` or `ExpiredTokenException`.
    """
    try:
        jws = decode(token)
    except ValueError:
        raise _invalid(_NOT_A_JWT) from None
    claims = jws.claims
    issuer_url = claims.get("iss")
    if not isinstance(issuer_url, str) or not issuer_url:
        raise _invalid(_NOT_A_JWT)
    provider = find_provider(issuer_url)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer_url}")
    _check_signature(jws, provider.issuer)
    _check_times(claims, int(now.timestamp()))
    return identify(claims, provider)


def identify(claims: Mapping[str, Any], provider: Provider) -> WebIdentity:
    """Return the identity in verified claims.

    Raises:
        AwsError: `InvalidIdentityToken`: AWS does not accept the subject or the audience.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or len(subject) not in _SUBJECT_LENGTH:
        raise _invalid("Invalid token subject")
    audience = _audience(claims, provider)
    context = _context(provider.issuer.url, claims, subject, audience)
    return WebIdentity(provider, claims, subject, audience, context)


def _check_signature(jws: Jws, issuer: Issuer) -> None:
    """Verify RS256 with the published key. The header must not choose another algorithm."""
    if not jws.is_rs256:
        raise _invalid(_NOT_A_JWT)
    key = issuer.verification_key(str(jws.header.get("kid")))
    if key is None:
        raise _invalid(_NO_KEY)
    if not jws.is_signed_by(key):
        raise _invalid("Token signature invalid")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    for name in ("exp", "iat"):
        if not is_date(claims.get(name)):
            raise _invalid(f"Missing or malformed claim in the token: {name}")
    if "nbf" in claims and not is_date(claims["nbf"]):
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


def _audience(claims: Mapping[str, Any], provider: Provider) -> str:
    """Return what AWS calls the audience: `azp` if the token has it, otherwise `aud`.

    IAM user guide, "Available keys for AWS OIDC federation": `accounts.google.com:aud`. For a
    provider created in an account, AWS compares the client ids with `azp`, if the token has it:
    users whose list contains `aud` but not `azp` report "Incorrect token audience"
    (aws/aws-sdk-net#3071).
    """
    audiences, azp = strings(claims.get("aud")), strings(claims.get("azp"))
    named = azp or audiences
    if audiences and provider.client_ids is not None:
        named = tuple(value for value in named if value in provider.client_ids)
    if not audiences or not named:
        raise _invalid("Incorrect token audience")
    return named[0]


def _context(
    issuer_url: str, claims: Mapping[str, Any], subject: str, audience: str
) -> dict[str, tuple[str, ...]]:
    """Return the condition keys of a token, in lower case: keys are case-insensitive.

    IAM user guide, "IAM and AWS STS condition context keys": the prefix is the issuer without the
    scheme. Only Google has `oaud` (the `aud` of the token) and the organization number.
    """
    prefix = issuer_url.partition("://")[2].lower()
    context: dict[str, tuple[str, ...]] = {
        f"{prefix}:aud": (audience,),
        f"{prefix}:sub": (subject,),
    }
    if amr := strings(claims.get("amr")):
        context[f"{prefix}:amr"] = amr
    if issuer_url == GOOGLE:
        context[f"{prefix}:oaud"] = strings(claims.get("aud"))
        google = claims.get("google")
        number = google.get("organization_number") if isinstance(google, dict) else None
        if number is not None:
            context[f"{prefix}:google/organization_number"] = (str(number),)
    return context


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
