"""Parsing an ID token and checking it before it is sent to STS.

The signature is not verified: AWS does that with Google's published keys, and another check would
only add a request. These checks give a precise error before STS answers "Not authorized".
"""

import base64
import binascii
import json
from datetime import datetime, timedelta, timezone
from typing import Any

from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge.exceptions import TokenError, quoted

# Google's discovery document has the issuer with the scheme; its documentation allows both forms
# (OpenID Connect, "Validating an ID token").
GOOGLE_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
# AWS STS API reference, AssumeRoleWithWebIdentity: WebIdentityToken has at most 20,000 characters.
_MAX_LENGTH = 20_000
# AWS rejects signatures more than five minutes off (IAM user guide, "AWS Signature Version 4"), so
# credentials are useless with such a clock.
MAX_SKEW = timedelta(minutes=5)


class IdToken(SecretValue):
    """An OIDC token and its claims. `repr` shows only claims."""

    __slots__ = (
        *("raw", "issuer", "audience", "subject"),
        *("authorized_party", "issued_at", "expiration", "email"),
    )

    raw: str
    issuer: str
    audience: tuple[str, ...]
    subject: str
    authorized_party: str | None
    issued_at: datetime | None
    expiration: datetime
    email: str | None

    def __init__(
        self,
        raw: str,
        issuer: str,
        audience: tuple[str, ...],
        subject: str,
        authorized_party: str | None,
        issued_at: datetime | None,
        expiration: datetime,
        email: str | None = None,
    ) -> None:
        self._set(
            raw=raw,
            issuer=issuer,
            audience=audience,
            subject=subject,
            authorized_party=authorized_party,
            issued_at=issued_at,
            expiration=expiration,
            email=email,
        )

    def __repr__(self) -> str:
        return f"<IdToken of {quoted(self.subject)} for {quoted(', '.join(self.audience))}>"


def parse(raw: object, *, origin: str) -> IdToken:
    """Parse the claims of *raw* without verifying the signature.

    Args:
        raw: Return value of a token source.
        origin: Name of the token source, for errors.

    Raises:
        TokenError: *raw* is not a JWT with the claims that STS needs. The error shows none of it.
    """
    text = raw.strip() if isinstance(raw, str) else ""
    problem = _shape_problem(raw, text)
    if problem:
        raise _malformed(origin, problem)
    try:
        header_part, claims_part, signature = text.split(".")
        header, claims = _json_object(header_part), _json_object(claims_part)
        try:
            _decoded(signature)
        except ValueError:
            raise _malformed(origin, "its signature does not decode") from None
        if not isinstance(header.get("alg"), str):
            raise _malformed(origin, "its header names no signature algorithm")
        return _from_claims(text, claims)
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(origin, "one of its parts does not decode to JSON") from None
    except KeyError as missing:
        raise _malformed(origin, f"it has no usable {missing.args[0]} claim") from None


def claims_of(token: IdToken) -> dict[str, Any]:
    """Return all claims of *token*."""
    return _json_object(token.raw.split(".")[1])


def check(
    token: IdToken, *, audience: str, now: datetime, origin: str, server_now: datetime | None = None
) -> None:
    """Raise an error for a token that STS would reject.

    Args:
        token: The token.
        audience: Requested audience.
        now: Time by this machine's clock.
        origin: Name of the token source, for errors.
        server_now: Time by the clock of the server that returned the token, or None.

    Raises:
        TokenError: The token has another audience, has expired, or is from the future.
    """
    if audience not in token.audience:
        raise TokenError(
            f"{origin} gave a token for the audience {_shown(token.audience)}; "
            f'"{audience}" was asked for.',
            fix="make the audience of the token source and of the role the same.",
            error_id="token/audience",
        )
    clock_off = _clock_problem(token, now, server_now)
    if clock_off:
        raise TokenError(
            f"{origin} gave a token{clock_off}.",
            fix="compare `date -u` with another machine and set the clock right (NTP); "
            "AWS refuses signatures more than 5 minutes off.",
            error_id="token/clock",
        )
    if token.expiration <= now:
        raise TokenError(
            f"{origin} gave a token that expired at {token.expiration:%Y-%m-%d %H:%M:%S} UTC; "
            f"it is {now:%Y-%m-%d %H:%M:%S} UTC.",
            fix="let the source give a fresh one; if it does, set this machine's clock right.",
            error_id="token/expired",
        )


def skew(now: datetime, server_now: datetime) -> str:
    """Return "10 minutes behind" or "… ahead of"; "" if the difference is acceptable for AWS."""
    if abs(now - server_now) <= MAX_SKEW:
        return ""
    off_s = (now - server_now).total_seconds()
    return f"{abs(off_s) / 60:.0f} minutes {'ahead of' if off_s > 0 else 'behind'}"


def _clock_problem(token: IdToken, now: datetime, server_now: datetime | None) -> str:
    clock = f"this machine's clock ({now:%H:%M:%S} UTC)"
    if server_now is not None and (off := skew(now, server_now)):
        return f"; {clock} is {off} the server that gave it"
    if token.issued_at is not None and token.issued_at - now > MAX_SKEW:
        ahead_s = (token.issued_at - now).total_seconds()
        return f" that {clock} puts {ahead_s / 60:.0f} minutes into the future"
    return ""


def _shape_problem(raw: object, text: str) -> str:
    if not isinstance(raw, str):
        return f"it is a {type(raw).__name__}, not a string"
    if not text:
        return "it is empty"
    if text.startswith("<"):
        return "it is an HTML or XML page"
    if len(text) > _MAX_LENGTH:
        return f"it has {len(text)} characters; STS takes at most {_MAX_LENGTH}"
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        return f"it has {sum(map(bool, parts))} of the three parts of a JWT"
    return ""


def _decoded(part: str) -> bytes:
    padded = part + "=" * (-len(part) % 4)  # RFC 7515, appendix C: JWTs omit the padding
    return base64.b64decode(padded, altchars=b"-_", validate=True)


def _json_object(part: str) -> dict[str, Any]:
    value = json.loads(_decoded(part))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _from_claims(raw: str, claims: dict[str, Any]) -> IdToken:
    for name in ("iss", "sub"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise KeyError(name)
    # RFC 7519, section 4.1.3: a string or a list of strings; Kubernetes writes a list.
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise KeyError("aud")
    party, email = claims.get("azp"), claims.get("email")
    return IdToken(
        raw=raw,
        issuer=claims["iss"],
        audience=tuple(audiences),
        subject=claims["sub"],
        authorized_party=party if isinstance(party, str) else None,
        issued_at=_instant(claims, "iat") if "iat" in claims else None,
        expiration=_instant(claims, "exp"),
        email=email if isinstance(email, str) else None,
    )


def _instant(claims: dict[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise KeyError(name)
    try:
        return datetime.fromtimestamp(value, timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise KeyError(name) from None


def _malformed(origin: str, problem: str) -> TokenError:
    return TokenError(
        f"{origin} gave something that is not an ID token: {problem}.",
        fix="look at what the source returns; an ID token is three base64url parts with dots.",
        error_id="token/malformed",
    )


def _shown(audience: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, audience[:5])) or "none"
