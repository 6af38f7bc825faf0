"""Errors of a failed exchange: pure functions that return an `ExchangeError`.

Sources of the codes: AWS STS API reference, "Errors" of AssumeRoleWithWebIdentity and AssumeRole,
and "Common errors".
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime

from gcp_aws_bridge._sts import denied, denied_chained
from gcp_aws_bridge._sts.parameters import duration_seconds
from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge._tokens.id_token import GOOGLE_ISSUERS, IdToken, skew
from gcp_aws_bridge._tokens.tls import tls_failure
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, quoted

# The same request may succeed later. IDPCommunicationError: "retry a limited number of times".
# ExpiredTokenException: "get a new token and retry"; each attempt gets a new token.
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
# Codes that STS returns for a valid token or signature if a clock is wrong.
_CLOCK_CODES = frozenset(
    {"ExpiredTokenException", "InvalidIdentityToken", "RequestExpired", "SignatureDoesNotMatch"}
)
# Errors that show the claims of the token.
_SHOWS_CLAIMS = ("exchange/invalid-token", "exchange/refused")
_SHORT = 60  # the longest message of AWS, in characters, that the summary contains
_GENERIC_FIX = (
    "look the code up in the AWS STS API reference, or in that of the server at "
    "AWS_ENDPOINT_URL_STS; give AWS support the request id."
)


def refused_token(
    token: IdToken, role: Role, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """Return the error for a denied AssumeRoleWithWebIdentity."""
    how = f"with an ID token of {denied.issuer_of(token)}"
    if code == "AccessDenied":
        summary = f"Assuming {role.arn} {how} was denied."
        fix, error_id = denied.checks(token, role), "exchange/denied"
        answer = f"AWS answered {code} {quoted(message)}."
        details = f"{denied.claims(token)} {answer} {denied.how_to_admit(token, role)}"
    else:
        cause, fix, error_id = _cause_for_token(token, role, code, message, status)
        summary, details = _failed(role.arn, how, code, message, cause)
        if error_id in _SHOWS_CLAIMS:
            details = f"{denied.claims(token)} {details}".strip()
    return ExchangeError(
        summary,
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
        details=details,
    )


def refused_chained_role(
    role: Role, position: int, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """Return the error for a denied AssumeRole of `role.chain[position]`."""
    arn, previous_arn = role.arns[position + 1], role.arns[position]
    cause, fix, error_id = _cause_for_chained_role(role, position, code, message, status)
    summary, details = _failed(arn, f"from {previous_arn}", code, message, cause)
    if code == "AccessDenied":
        fix, more = denied_chained.checks(role, position, message)
        details = f"{details} {more}".strip()
    return ExchangeError(
        summary,
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
        details=details,
    )


def no_client(error: Exception) -> ConfigError:
    """Return the error for an STS client that botocore cannot create."""
    from botocore.exceptions import DataNotFoundError  # other errors do without botocore

    # Includes UnknownServiceError: the folder of STS is missing.
    if isinstance(error, DataNotFoundError):
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
    """Return the error for a network error between botocore and STS."""
    code = type(error).__name__
    inner = str(getattr(error, "kwargs", {}).get("error"))
    summary = f"Assuming {arn} failed. STS in {region_name} was not reached"
    if code == "SSLError":
        tls = tls_failure(inner)
        return ExchangeError(
            f"{summary}, since TLS fails: {tls.seen}.",
            fix=tls.fix,
            error_id="exchange/tls",
            code=code,
            retryable=tls.passes,
            details=f"{quoted(str(error), 300)}.",
        )
    # The answer of a proxy to CONNECT, which botocore's message does not contain.
    tunnel = re.search(r"Tunnel connection failed: [\w ]+", inner)
    return ExchangeError(
        f"{summary}: {quoted(str(error), 120)}" + (f" ({tunnel[0]})." if tunnel else "."),
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
    region_name: str, arn: str, why: str, status: int, form: str = ""
) -> ExchangeError:
    """Return the error for an answer that cannot be read.

    Args:
        why: What is wrong with it, without a quotation.
        form: Media type and encoding of the answer, from `unreadable_answer.known_form`.
    """
    overloaded = _is_overloaded(status)
    known = f", {form}" if form else ""
    return ExchangeError(
        f"Assuming {arn} failed. STS in {region_name} answered what STS does not: "
        f"{f'HTTP {status}' if status else 'its status is not known'}{known} ({why}).",
        fix="look at AWS_ENDPOINT_URL_STS and at proxies on the way.",
        error_id="exchange/unavailable" if overloaded else "exchange/garbage",
        code="UnreadableAnswer",
        # A redirect or a 4xx is a decision; an answer that was cut short may be whole next time.
        retryable=overloaded or status < 300,
    )


def blame_clock(error: ExchangeError, now: datetime) -> ExchangeError:
    """Return *error*, or an error about this machine's clock if the answer's `Date` differs."""
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


def is_retryable(code: str, status: int) -> bool:
    """Return whether the same request may succeed later without any change."""
    return code in RETRYABLE_CODES or _is_overloaded(status)


def _is_overloaded(status: int) -> bool:
    return status in TRANSIENT_STATUS


def _failed(arn: str, how: str, code: str, message: str, cause: str) -> tuple[str, str]:
    """Return summary and details, which contain a message that is too long for the summary."""
    fits = len(message) <= _SHORT
    short = f" {quoted(message)}" if fits else ""
    summary = f"Assuming {arn} {how} failed: {code}{short}. {cause}".strip()
    # The reason for a denial is at the end, after the ARNs of caller and role.
    limit = 600 if code == "AccessDenied" else 200
    return summary, "" if fits else f"AWS answered {quoted(message, limit)}."


def _cause_for_token(
    token: IdToken, role: Role, code: str, message: str, status: int
) -> tuple[str, str, str]:
    if code == "InvalidIdentityToken":
        return "", _fix_of_invalid_token(token, message.lower()), "exchange/invalid-token"
    if code in ("ExpiredTokenException", "ExpiredToken"):  # the second from servers other than AWS
        expired = f"By its exp claim, it expires at {token.expiration:%H:%M:%S} UTC."
        return expired, "check this machine's clock and the token source.", "exchange/expired-token"
    return _cause_in_request(role, None, code, message, status)


def _fix_of_invalid_token(token: IdToken, message: str) -> str:
    """Return the fix for the *message* of AWS, in lower case."""
    if "audience" in message:
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
    if "no openidconnect provider" in message:
        return (
            "create the provider in the role's account: aws iam create-open-id-connect-provider "
            f"--url {shlex.quote(token.issuer)} --client-id-list "
            f"{shlex.quote(denied.aws_audience_of(token))}"
        )
    if "signature" in message:
        return "get a new token from its issuer: another key signed this one, or it was changed."
    return "check that AWS trusts this issuer, and this machine's clock."


def _cause_for_chained_role(
    role: Role, position: int, code: str, message: str, status: int
) -> tuple[str, str, str]:
    arn, previous_arn = role.arns[position + 1], role.arns[position]
    if code == "AccessDenied":
        return "", "", "exchange/chained-role"
    # The messages of AWS, which its reference does not list.
    if "conflicts with a transitive tag key" in message:
        fix = f"omit the tag for {arn}: the session of {previous_arn} has it already, transitive."
        return "", fix, "exchange/inherited"
    if "source identity is already set" in message:
        fix = f"omit source_identity for {arn}: the session of {previous_arn} has one already."
        return "", fix, "exchange/inherited"
    return _cause_in_request(role, position, code, message, status)


def _cause_in_request(
    role: Role, position: int | None, code: str, message: str, status: int
) -> tuple[str, str, str]:
    """Return cause, fix and error id for errors that any role of the chain can cause."""
    if code == "ValidationError" and "DurationSeconds" in message:
        fix = "request less, or raise the role's maximum session duration."
        seen = f"duration_seconds is {duration_seconds(role, position)}."
        return seen, fix, "exchange/duration"
    if code in ("MalformedPolicyDocument", "PackedPolicyTooLarge"):
        fix = "correct or shorten the session policy (policy=, policy_arns=)."
        own = denied_chained.settings(role, position)
        if code == "PackedPolicyTooLarge" and own and own.tags:
            fix = "pass fewer or shorter tags, or shorten the session policy: both share one limit."
        return "", fix, "exchange/policy"
    if code == "RegionDisabledException":
        fix = "enable STS in this region in the IAM console (Account settings), or "
        if role.sts_regions:
            fix += "omit the region from sts_regions."
        else:
            fix += (
                "set a region that is enabled: "
                "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"
            )
        return "", fix, "exchange/region"
    if is_retryable(code, status):
        return "", "wait; it is retried. Look at the AWS health dashboard.", "exchange/unavailable"
    return "", _GENERIC_FIX, "exchange/refused"
