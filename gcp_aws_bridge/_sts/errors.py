"""The errors of an exchange that failed: pure functions from what was seen to an `ExchangeError`.

Sources of the codes: AWS STS API reference, "Errors" of AssumeRoleWithWebIdentity and AssumeRole,
and "Common errors".
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime

import botocore.exceptions
from botocore.exceptions import ClientError

from gcp_aws_bridge._sts import denied
from gcp_aws_bridge._sts.tls import tls_failure
from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge._tokens.id_token import GOOGLE_ISSUERS, IdToken, skew
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted

# Worth the same request again. IDPCommunicationError: "retry a limited number of times".
# ExpiredTokenException: "get a new token and retry"; each attempt gets a new one.
RETRYABLE_CODES = frozenset(
    {
        "ExpiredTokenException",
        "IDPCommunicationError",
        "InternalFailure",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# What STS says of a token or a signature that is right, and early or late.
_CLOCK_CODES = frozenset(
    {"ExpiredTokenException", "InvalidIdentityToken", "RequestExpired", "SignatureDoesNotMatch"}
)
# Refusals for which the claims of the token are worth a look.
_SHOWS_CLAIMS = ("exchange/invalid-token", "exchange/refused")
# What proxies, gateways and login pages answer with. IANA, "Media Types"; RFC 9110, 8.4.1.
_MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/problem+json",
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/xhtml+xml",
        "application/xml",
        "text/html",
        "text/plain",
        "text/xml",
    }
)
_ENCODINGS = frozenset({"br", "compress", "deflate", "gzip", "identity", "zstd"})
_SHORT = 60  # characters of AWS's own message that the summary has room for
_GENERIC_FIX = (
    "look the code up in the AWS STS API reference, or in that of the server at "
    "AWS_ENDPOINT_URL_STS; give AWS support the request id."
)


def refused_token(
    token: IdToken, role: Role, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """Return the error for a refused AssumeRoleWithWebIdentity."""
    said = f"AWS answered {code} {quoted(message)}."
    if code == "AccessDenied":
        return ExchangeError(
            f"Assuming {role.arn} with an ID token of {denied.issuer_of(token)} was denied.",
            fix=denied.checks(token, role),
            error_id="exchange/denied",
            code=code,
            request_id=request_id,
            retryable=is_retryable(code, status),
            details=f"{denied.claims(token)} {said} {denied.how_to_admit(token, role)}",
        )
    cause, fix, error_id = _cause_of_refusal(token, role, code, message, status)
    details = denied.claims(token) if error_id in _SHOWS_CLAIMS else ""
    issuer = denied.issuer_of(token)
    return ExchangeError(
        _failed(role.arn, f"with an ID token of {issuer}", code, message, cause),
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
        details=_with_message(details, message),
    )


def refused_chained_role(
    role: Role, position: int, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """Return the error for a refused AssumeRole of `role.chain[position]`."""
    arn = role.chain[position]
    previous_arn = role.chain[position - 1] if position else role.arn
    cause, fix, error_id = _cause_in_request(role, code, message, status)
    if code == "AccessDenied":
        error_id = "exchange/chained-role"
        fix = (
            f"allow sts:AssumeRole on {arn} in the permissions of {previous_arn}, "
            f"and that role as AWS principal in the trust policy of {arn}."
        )
    return ExchangeError(
        _failed(arn, f"from {previous_arn}", code, message, cause),
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
        details=_with_message("", message),
    )


def no_client(error: Exception) -> ConfigError:
    """Return the error for an STS client that botocore cannot make."""
    # UnknownServiceError is one, too: the folder of STS is missing.
    if isinstance(error, botocore.exceptions.DataNotFoundError):
        return ConfigError(
            f"botocore does not find its own data files: {quoted(str(error), 60)}. They are "
            "missing in a zip archive, and in an image or a frozen application without them.",
            fix="install botocore unpacked, add its data (PyInstaller: --collect-data botocore), "
            "or set AWS_DATA_PATH to a copy of botocore/data.",
            error_id="config/botocore-data",
        )
    return ConfigError(
        f"botocore cannot make an STS client: {quoted(str(error))}.",
        fix="check region, AWS_ENDPOINT_URL_STS and the AWS config file.",
        error_id="config/sts-client",
    )


def not_reached(region_name: str, arn: str, error: Exception) -> ExchangeError:
    """Return the error for a network fault of botocore's on the way to STS or back."""
    code = type(error).__name__
    inner = str(getattr(error, "kwargs", {}).get("error"))
    said = f"Assuming {arn} failed. STS in {region_name} was not reached"
    if code == "SSLError":
        tls = tls_failure(inner)
        return ExchangeError(
            f"{said}, since TLS fails: {tls.seen}.",
            fix=tls.fix,
            error_id="exchange/tls",
            code=code,
            retryable=tls.passes,
            details=f"{quoted(str(error), 300)}.",
        )
    # What a proxy said to CONNECT, which botocore keeps to itself.
    tunnel = re.search(r"Tunnel connection failed: [\w ]+", inner)
    return ExchangeError(
        f"{said}: {quoted(str(error), 120)}" + (f" ({tunnel[0]})." if tunnel else "."),
        fix=(
            "check HTTPS_PROXY and what the proxy lets pass; NO_PROXY can exclude STS."
            if code == "ProxyConnectionError"
            else "check DNS, egress rules (port 443) and proxy settings for the STS endpoint."
        ),
        error_id="exchange/unreachable",
        code=code,
        retryable=True,
    )


def not_from_sts(
    region_name: str, arn: str, error: Exception, status: int, form: str = ""
) -> ExchangeError:
    """Return the error for an answer that botocore cannot read.

    Args:
        error: Only its type is shown, since its text quotes the answer.
        form: Its media type and encoding, as `known_form` gives them.
    """
    overloaded = _is_overloaded(status)
    said = f", {form}" if form else ""
    return ExchangeError(
        f"Assuming {arn} failed. STS in {region_name} answered what STS does not: HTTP {status}"
        f"{said} ({type(error).__name__}).",
        fix="look at AWS_ENDPOINT_URL_STS and at proxies on the way.",
        error_id="exchange/unavailable" if overloaded else "exchange/garbage",
        code=type(error).__name__,
        # A redirect or a 4xx is a decision; an answer that was cut short may be whole next time.
        retryable=overloaded or status < 300,
    )


def known_form(media_type: str, encoding: str) -> str:
    """Return both for a message, without what is not known: a header may be a piece of the answer.

    An answer that lost its empty line has its first lines, keys included, in the header above it.
    """
    known = (
        (media_type.partition(";")[0].strip().lower(), _MEDIA_TYPES),
        (encoding.strip().lower(), _ENCODINGS),
    )
    said = (value if value in names else "unknown form" for value, names in known if value)
    return ", ".join(dict.fromkeys(said))


def blame_clock(error: ExchangeError, now: datetime) -> ExchangeError:
    """Return *error*, or one that blames this machine's clock where the answer's `Date` does."""
    off = skew(now, error.date) if error.date and error.code in _CLOCK_CODES else ""
    if not off:
        return error
    return ExchangeError(
        f"{error.args[0]} This machine's clock ({now:%H:%M:%S} UTC) is {off} that of STS.",
        fix="compare `date -u` with another machine and set the clock right (NTP); AWS refuses "
        "signatures more than 5 minutes off.",
        error_id="exchange/clock",
        code=error.code,
        request_id=error.request_id,
        retryable=error.retryable,
        details=error.details,
    )


def said_by(error: ClientError) -> tuple[str, str, str]:
    """Return code, message and request id of an error answer; each is empty where it has none.

    AWS wraps `Error` into `ErrorResponse`, and botocore returns its members as `Error`. Ceph gives
    `Error` alone (its S3 form), of which botocore returns the members themselves.
    """
    answer = error.response
    said = answer.get("Error") or answer
    found = said.get("Code"), said.get("Message"), answer["ResponseMetadata"].get("RequestId")
    code, message, request_id = (one if isinstance(one, str) else "" for one in found)
    return code.strip(), message.strip(), request_id


def is_retryable(code: str, status: int) -> bool:
    """Whether the same request may succeed later without anybody changing anything."""
    return code in RETRYABLE_CODES or _is_overloaded(status)


def _is_overloaded(status: int) -> bool:
    return status in TRANSIENT_STATUS


def _failed(arn: str, how: str, code: str, message: str, cause: str) -> str:
    """Return the summary; a message of AWS that is too long for it goes into the details."""
    said = f" {quoted(message)}" if len(message) <= _SHORT else ""
    return f"Assuming {arn} {how} failed: {code}{said}. {cause}".strip()


def _with_message(details: str, message: str) -> str:
    said = f"AWS says {quoted(message)}." if len(message) > _SHORT else ""
    return f"{details} {said}".strip()


def _cause_of_refusal(
    token: IdToken, role: Role, code: str, message: str, status: int
) -> tuple[str, str, str]:
    if code == "InvalidIdentityToken":
        return "", _fix_of_invalid_token(token, message.lower()), "exchange/invalid-token"
    if code in ("ExpiredTokenException", "ExpiredToken"):  # the second by other servers than AWS
        expired = f"By its own claim it lives until {token.expiration:%H:%M:%S} UTC."
        return expired, "check this machine's clock and the token source.", "exchange/expired-token"
    return _cause_in_request(role, code, message, status)


def _fix_of_invalid_token(token: IdToken, said: str) -> str:
    """Return the change for what *said*, the message of AWS in lower case, complains of."""
    if "audience" in said:
        audience = quoted(denied.aws_audience_of(token), 60)
        if token.issuer in GOOGLE_ISSUERS:
            return (
                "delete the IAM OIDC provider for accounts.google.com from the AWS account (AWS "
                f"trusts Google without one), or add {audience} to its client ids."
            )
        return (
            f"add {audience} to the client ids of the issuer's IAM OIDC provider, or ask for an "
            "audience that is one of them."
        )
    if "no openidconnect provider" in said:
        return (
            "create the provider in the role's account: aws iam create-open-id-connect-provider "
            f"--url {shlex.quote(token.issuer)} --client-id-list "
            f"{shlex.quote(denied.aws_audience_of(token))}"
        )
    if "signature" in said:
        return "get a new token from its issuer: another key signed this one, or it was changed."
    return "check that AWS trusts this issuer, and this machine's clock."


def _cause_in_request(role: Role, code: str, message: str, status: int) -> tuple[str, str, str]:
    """Return cause, fix and id of an error that any role of the chain can cause."""
    if code == "ValidationError" and "DurationSeconds" in message:
        return (
            f"duration_seconds is {role.duration_seconds}.",
            "ask for less, or raise the role's maximum session duration.",
            "exchange/duration",
        )
    if code in ("MalformedPolicyDocument", "PackedPolicyTooLarge"):
        return (
            "",
            "correct or shorten the session policy (policy=, policy_arns=).",
            "exchange/policy",
        )
    if code == "RegionDisabledException":
        return (
            "",
            (
                "enable STS in this region in the IAM console (Account settings), or set a region "
                "that is enabled: export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"
            ),
            "exchange/region",
        )
    if is_retryable(code, status):
        return "", "wait; it is retried. Look at the AWS health dashboard.", "exchange/unavailable"
    return "", _GENERIC_FIX, "exchange/refused"
