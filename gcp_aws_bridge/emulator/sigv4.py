"""Verification of AWS Signature Version 4, in the Authorization header or in the query.

Written from the IAM user guide, "AWS Signature Version 4 for API requests": "Create a signed AWS
API request", "Authentication methods" (query string) and "Troubleshoot Signature Version 4
signing", which has the messages.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.message import Message
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from .accounts import Key
from .answers import AwsError

__all__ = ["SignedRequest", "region_of", "verify"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_TERMINATOR = "aws4_request"
_PARAMETERS = ("Credential", "SignedHeaders", "Signature")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")
_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z")
# "Don't encode any of the unreserved characters that RFC 3986 defines."
_UNRESERVED = "-_.~"
_QUERY_SIGNATURE = "X-Amz-Signature"
# Names of the Authorization header's parameters in a presigned URL.
_IN_QUERY = {
    "Credential": "X-Amz-Credential",
    "SignedHeaders": "X-Amz-SignedHeaders",
    "Signature": _QUERY_SIGNATURE,
}
# "presigned STS urls are valid for 15 minutes after timestamp in x-amz-date", regardless of
# X-Amz-Expires (AWS CLI, eks/get_token.py; aws-iam-authenticator, pkg/token).
_PRESIGNED_S = 900.0
_LONGEST_EXPIRES_S = 604800


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature covers."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    amz_date: str
    token: str = field(repr=False)
    presigned: bool

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def verify(
    request: SignedRequest,
    *,
    service: str,
    find_key: Callable[[str], Key | None],
    now: datetime,
    max_skew_s: float,
    region: str | None = None,
) -> Key:
    """Return the key that signed the request.

    Args:
        request: The request.
        service: Required service in the signature, such as "sts".
        find_key: Returns the key for an access key id, or `None`.
        now: The current time.
        max_skew_s: Largest difference between `now` and the date of the request, in seconds.
        region: Required region in the signature; `None`: any region.

    Raises:
        AwsError: The signature is invalid, with the code and message of AWS.
    """
    authorization = _authorization(request)
    amz_date = authorization.amz_date
    _check_scope(authorization, service, region, amz_date)
    _check_signed_headers(authorization, request.headers)
    _check_date(amz_date, now, max_skew_s, _PRESIGNED_S if authorization.presigned else 0.0)
    key = find_key(authorization.access_key_id)
    if key is None or not _same(key.session_token or "", authorization.token):
        raise AwsError(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    if not _same(_signature(request, authorization, amz_date, key), authorization.signature):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. "
            "Consult the service documentation for details."
        )
    if key.expiration is not None and now >= key.expiration:
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
    return key


def region_of(request: SignedRequest) -> str:
    """Return the region in the signature of a verified request."""
    return _authorization(request).region


def _authorization(request: SignedRequest) -> _Authorization:
    header = request.headers.get("Authorization")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if header is not None:
        amz_date = request.headers.get("X-Amz-Date", "")
        if not _AMZ_DATE.fullmatch(amz_date):
            raise _incomplete(
                "Authorization header requires existence of a valid 'X-Amz-Date' header."
            )
        return _parse(header, amz_date, request.headers.get("X-Amz-Security-Token") or "")
    if "X-Amz-Algorithm" not in query:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    return _presigned(query)


def _presigned(query: Mapping[str, str]) -> _Authorization:
    """Read the signature of a presigned URL."""
    if query["X-Amz-Algorithm"] != _ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{query['X-Amz-Algorithm'][:32]}'.")
    names = [*_IN_QUERY.values(), "X-Amz-Date"]
    if missing := [name for name in names if not query.get(name)]:
        raise _incomplete(
            " ".join(f"AWS query-string parameters must include '{name}'." for name in missing)
        )
    if not _AMZ_DATE.fullmatch(query["X-Amz-Date"]):
        raise _incomplete("X-Amz-Date must be in ISO-8601 'basic format'.")
    # "The minimum value you can set is 1, and the maximum is 604800 (seven days)."
    expires = query.get("X-Amz-Expires", "1")
    if not re.fullmatch(r"\d{1,6}", expires, re.ASCII) or not 1 <= int(expires) <= (
        _LONGEST_EXPIRES_S
    ):
        raise _incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800.")
    return _read(
        {name: query[of] for name, of in _IN_QUERY.items()},
        query["X-Amz-Date"],
        query.get("X-Amz-Security-Token", ""),
        presigned=True,
    )


def _parse(header: str, amz_date: str, token: str) -> _Authorization:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != _ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:32]}'.")
    pairs = (part.strip().partition("=") for part in rest.split(","))
    params = {name: value for name, _, value in pairs}
    if missing := [name for name in _PARAMETERS if not params.get(name)]:
        raise _incomplete(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    return _read(params, amz_date, token, presigned=False)


def _read(
    params: Mapping[str, str], amz_date: str, token: str, *, presigned: bool
) -> _Authorization:
    credential = params["Credential"].split("/")
    if len(credential) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term."
        )
    names = tuple(params["SignedHeaders"].lower().split(";"))
    key_id, date, region, service, end = credential
    return _Authorization(
        key_id, date, region, service, end, names, params["Signature"], amz_date, token, presigned
    )


def _check_scope(
    authorization: _Authorization, service: str, region: str | None, amz_date: str
) -> None:
    wrong = []
    if not _REGION.fullmatch(authorization.region) or authorization.region != (
        region or authorization.region
    ):
        wrong.append("Credential should be scoped to a valid region. ")
    if authorization.service != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'. ")
    if authorization.terminator != _TERMINATOR:
        wrong.append(f"Credential should be scoped with a valid terminator: '{_TERMINATOR}'. ")
    if authorization.date != amz_date[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{authorization.date}' != '{amz_date[:8]}', from '{amz_date}'. "
        )
    if wrong:
        raise _mismatch("".join(wrong))


def _check_signed_headers(authorization: _Authorization, headers: Message) -> None:
    """ "You must include the host header ... and any x-amz-* headers in the request"."""
    names = {name.lower() for name in headers}
    required = {"host"} | {name for name in names if name.startswith("x-amz-")}
    for name in sorted(required - set(authorization.signed_headers)):
        raise _mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_date(amz_date: str, now: datetime, max_skew_s: float, valid_s: float) -> None:
    try:
        signed = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format'.") from None
    age_s = (now - signed).total_seconds()
    if -max_skew_s <= age_s <= max(max_skew_s, valid_s):
        return
    skew = timedelta(seconds=max_skew_s)
    minutes = f"{max_skew_s / 60:g} min."
    at, bound = f"{now:%Y%m%dT%H%M%SZ}", now - skew if age_s > 0 else now + skew
    if age_s > 0:
        raise _mismatch(
            f"Signature expired: {amz_date} is now earlier than {bound:%Y%m%dT%H%M%SZ} "
            f"({at} - {minutes})"
        )
    raise _mismatch(
        f"Signature not yet current: {amz_date} is still later than {bound:%Y%m%dT%H%M%SZ} "
        f"({at} + {minutes})"
    )


def _signature(
    request: SignedRequest, authorization: _Authorization, amz_date: str, key: Key
) -> str:
    """Calculate the signature: canonical request, string to sign, derived key."""
    digest = hashlib.sha256(_canonical(request, authorization.signed_headers)).hexdigest()
    to_sign = f"{_ALGORITHM}\n{amz_date}\n{authorization.scope}\n{digest}"
    secret = f"AWS4{key.secret_access_key}".encode()
    for part in authorization.scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()


def _canonical(request: SignedRequest, signed_headers: Iterable[str]) -> bytes:
    headers = [f"{name}:{_canonical_value(request.headers, name)}\n" for name in signed_headers]
    lines = [
        request.method,
        # All services except S3 encode the path a second time.
        quote(request.path or "/", safe="/" + _UNRESERVED),
        _canonical_query(request.query),
        "".join(headers),
        ";".join(signed_headers),
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines).encode()


def _canonical_value(headers: Message, name: str) -> str:
    """ "Remove leading and trailing spaces, convert sequential spaces to a single space"."""
    values = headers.get_all(name, [])
    return ",".join(" ".join(str(value).split()) for value in values)


def _canonical_query(query: str) -> str:
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        if name == _QUERY_SIGNATURE:  # the signature covers all parameters except itself
            continue
        pairs.append(tuple(_encoded(part) for part in (name, value)))
    return "&".join("=".join(pair) for pair in sorted(pairs))


def _encoded(part: str) -> str:
    return quote(unquote_to_bytes(part.replace("+", " ")), safe=_UNRESERVED)


def _same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _mismatch(message: str) -> AwsError:
    return AwsError("SignatureDoesNotMatch", message, 403)


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignature", message, 400)
