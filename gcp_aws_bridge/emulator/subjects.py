"""Verification of subject tokens, as Google's Security Token Service does it.

Written from Google's REST reference of `token` (`subjectToken`) and "Prepare an external
identity provider". Other messages are those that users report (google-api-python-client
issue 1136, js-genai issue 1216, google-github-actions/auth); a comment marks invented ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import jws
from .accounts import Key
from .answers import AwsError
from .oauth import OAuthError
from .providers import WorkloadProvider
from .sigv4 import SignedRequest

__all__ = ["FindSigner", "aws_assertion", "oidc_assertion"]

FindSigner = Callable[[SignedRequest, datetime, "str | None"], Key]
"""Returns the key that signed a request to AWS STS in a region, or raises `AwsError`."""

# "The URL of the AWS STS endpoint for GetCallerIdentity, such as https://sts.amazonaws.com?
# Action=GetCallerIdentity&Version=2011-06-15. Regional endpoints are also supported."
_URL = re.compile(r"https://sts(?:\.([a-z]{2,}(?:-[a-z]+)+-\d))?\.amazonaws\.com/?\?([^#]*)")
_QUERY = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]
# AWS General Reference, "AWS STS endpoints": the regions whose endpoint is in amazonaws.com.
_REGIONS = frozenset(
    """
    af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1
    ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
    ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1
    eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1
    mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2
    """.split()  # noqa: SIM905 - one region in each line is no easier to compare
)
# The global endpoint accepts signatures for this region (AWS General Reference, STS endpoints).
_GLOBAL_REGION = "us-east-1"
_TARGET = "x-goog-cloud-target-resource"
_REQUIRED = ("authorization", "host", "x-amz-date", _TARGET)

# Users report: `iat` up to a minute in the future, `exp` up to a minute in the past.
_LEEWAY_S = 60
# "Must be less than 48 hours after iat" (REST reference, `subjectToken`).
_LONGEST_S = 172800


def aws_assertion(
    subject_token: str, provider: WorkloadProvider, find_signer: FindSigner, now: datetime
) -> dict[str, Any]:
    """Return the caller identity that AWS has for a signed GetCallerIdentity request.

    Args:
        subject_token: The request, as percent-encoded JSON.
        provider: The provider that the token was sent to.
        find_signer: Verifies the signature at the emulated AWS STS.
        now: The current time.

    Raises:
        OAuthError: Google rejects the token.
    """
    url, headers = _signed_request(subject_token)
    match = _URL.fullmatch(url)
    region = match[1] if match else None
    query = parse_qsl(match[2], keep_blank_values=True) if match else []
    if sorted(query) != _QUERY or (region and region not in _REGIONS):
        raise _malformed("the URL is not that of GetCallerIdentity at AWS STS.")
    host = url.partition("://")[2].partition("?")[0].rstrip("/")
    if headers["host"] != host:
        raise _malformed("the host header is not the URL's.")
    if headers[_TARGET].removeprefix("https:") != provider.audience:
        raise _malformed(f"{_TARGET} is not the audience.")
    request = SignedRequest("POST", "/", url.partition("?")[2], headers, b"")
    try:
        caller = find_signer(request, now, region or _GLOBAL_REGION).caller
    except AwsError as error:
        raise OAuthError(
            "invalid_grant",
            f"Received invalid AWS response of type {error.code} with error message: "
            f"{error.message}",
        ) from None
    if caller.account != provider.aws_account:
        # Invented message.
        raise OAuthError(
            "invalid_grant",
            f"The AWS account {caller.account} of the credential is not the account "
            f"{provider.aws_account} of the provider.",
        )
    return {"account": caller.account, "arn": caller.arn, "userid": caller.user_id}


def _signed_request(subject_token: str) -> tuple[str, Message]:
    """Return the URL and the headers of the request in a subject token."""
    try:
        document = json.loads(unquote(subject_token))
        url, method, pairs = (document[name] for name in ("url", "method", "headers"))
        found = [(pair["key"], pair["value"]) for pair in pairs]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise _malformed("expected url, method and headers.") from None
    if method != "POST" or not isinstance(url, str):
        raise _malformed("the method must be POST.")
    headers = Message()
    for name, value in found:
        texts = isinstance(name, str) and isinstance(value, str)
        if not texts or not (name + value).isascii() or name in headers:
            raise _malformed("each header has one key and one value.")
        headers[name] = value
    if missing := [name for name in _REQUIRED if name not in headers]:
        raise _malformed(f"the header {missing[0]} is missing.")
    return url, headers


def _malformed(what: str) -> OAuthError:
    """Return an error. Users report the first sentence; the rest is invented."""
    return OAuthError("invalid_grant", f"Invalid format of AWS credentials: {what}")


def oidc_assertion(
    subject_token: str, provider: WorkloadProvider, now: datetime
) -> Mapping[str, Any]:
    """Return the claims of an OIDC token that the provider trusts.

    Raises:
        OAuthError: Google rejects the token.
    """
    try:
        token = jws.decode(subject_token)
    except ValueError:
        raise _refused("The ID Token is malformed.") from None  # invented message
    claims, issuer = token.claims, provider.issuer
    if issuer is None or claims.get("iss") != issuer.url:
        raise _refused(
            f"The issuer in ID Token {_shown(claims.get('iss'))} does not match the expected "
            f"ones: {issuer.url if issuer else ''}"
        )
    audiences = jws.strings(claims.get("aud"))
    if not set(audiences) & set(provider.audiences):
        raise _refused(
            f"The audience in ID Token [{', '.join(audiences)}] does not match the expected "
            "audience."
        )
    key = issuer.verification_key(str(token.header.get("kid"))) if token.is_rs256 else None
    if key is None:
        raise _refused("Error connecting to the given credential's issuer.")
    if not token.is_signed_by(key):
        raise _refused("Unable to verify the ID Token signature.")
    _check_times(claims, int(now.timestamp()))
    return claims


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if (
        not jws.is_date(issued)
        or not jws.is_date(expires)
        or int(claims["iat"]) > now + _LEEWAY_S
        or int(claims["exp"]) + _LEEWAY_S < now
        or int(claims["exp"]) - int(claims["iat"]) >= _LONGEST_S
    ):
        raise _refused(f"ID Token issued at {_shown(issued)} is stale to sign-in.")


def _shown(value: object) -> str:
    return "null" if value is None else str(value)


def _refused(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
