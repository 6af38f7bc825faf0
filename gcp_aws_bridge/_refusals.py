"""What to say when STS said no: pure functions from what was seen to an `ExchangeError`.

Sources of the codes: AWS STS API reference, "Errors" of AssumeRoleWithWebIdentity and AssumeRole,
and "Common errors".
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from gcp_aws_bridge._id_token import GOOGLE_ISSUERS, IdToken, claims_of, skew
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
_GENERIC_FIX = "look the code up in the AWS STS API reference; give AWS support the request id."


def refused_token(
    token: IdToken, role: Role, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """STS refused AssumeRoleWithWebIdentity."""
    cause, fix, error_id = _cause_of_refusal(token, role, code, message, status)
    said = f"Assuming {role.arn} with a Google ID token failed: {code} {quoted(message)}."
    return ExchangeError(
        f"{said} {cause}".strip(),
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
    )


def refused_hop(
    role: Role, hop: int, *, code: str, message: str, status: int, request_id: str
) -> ExchangeError:
    """STS refused AssumeRole for `role.chain[hop]`."""
    arn = role.chain[hop]
    previous_arn = role.chain[hop - 1] if hop else role.arn
    cause, fix, error_id = _cause_in_request(role, code, message, status)
    if code == "AccessDenied":
        error_id = "exchange/hop"
        fix = (
            f"allow sts:AssumeRole on {arn} in the permissions of {previous_arn}, "
            f"and that role as AWS principal in the trust policy of {arn}."
        )
    said = f"Assuming {arn} from {previous_arn} failed: {code} {quoted(message)}."
    return ExchangeError(
        f"{said} {cause}".strip(),
        fix=fix,
        error_id=error_id,
        code=code,
        request_id=request_id,
        retryable=is_retryable(code, status),
    )


def not_reached(region_name: str, arn: str, error: Exception) -> ExchangeError:
    """A network fault of botocore's on the way to STS or back."""
    # A certificate stays wrong; a handshake that was cut may be whole the next time.
    tls = type(error).__name__ == "SSLError" and "certificate" in str(error).lower()
    # What a proxy said to CONNECT, which botocore keeps to itself.
    inner = str(getattr(error, "kwargs", {}).get("error"))
    tunnel = re.search(r"Tunnel connection failed: [\w ]+", inner)
    return ExchangeError(
        f"Assuming {arn} failed. STS in {region_name} was not reached: {quoted(str(error), 300)}"
        + (f" ({tunnel[0]})." if tunnel else "."),
        fix=(
            "check AWS_CA_BUNDLE and what intercepts TLS on the way."
            if tls
            else "check DNS, egress rules (port 443) and proxy settings for the STS endpoint."
        ),
        error_id="exchange/unreachable",
        code=type(error).__name__,
        retryable=not tls,
    )


def not_from_sts(region_name: str, arn: str, error: Exception, status: int) -> ExchangeError:
    """An answer that botocore cannot read; of *error*, the type alone: its text quotes it."""
    overloaded = _is_overloaded(status)
    return ExchangeError(
        f"Assuming {arn} failed. STS in {region_name} answered what STS does not: HTTP {status} "
        f"({type(error).__name__}).",
        fix="look at AWS_ENDPOINT_URL_STS and at proxies on the way.",
        error_id="exchange/unavailable" if overloaded else "exchange/garbage",
        code=type(error).__name__,
        # A redirect or a refusal is somebody's decision; what is cut short may be whole next time.
        retryable=overloaded or status < 300,
    )


def blame_clock(error: ExchangeError, now: datetime) -> ExchangeError:
    """*error*, and that this machine's clock is wrong, where the answer's own `Date` says so."""
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
    )


def is_retryable(code: str, status: int) -> bool:
    """Whether the same request may succeed later without anybody changing anything."""
    return code in RETRYABLE_CODES or _is_overloaded(status)


def _is_overloaded(status: int) -> bool:
    return status == 429 or status >= 500


def _how_to_admit(token: IdToken, role: Role) -> str:
    """What the role's trust policy needs for this token."""
    from gcp_aws_bridge.policy import statement_for  # a refusal is rare, and its words cost

    _, partition, _, _, account_id, _ = role.arn.split(":", 5)
    needs = f"the trust policy of {role.arn} needs this statement: "
    if token.issuer not in GOOGLE_ISSUERS:
        needs = f"AWS must have an IAM OIDC provider of {quoted(token.issuer)}; then {needs}"
    try:
        statement = statement_for(claims_of(token), account_id=account_id, partition=partition)
    except ConfigError as error:  # a token that no policy can name
        return f"look at the token source: {error.args[0]}"
    return f"{needs}{json.dumps(statement)}"


def _cause_of_refusal(
    token: IdToken, role: Role, code: str, message: str, status: int
) -> tuple[str, str, str]:
    claims = (
        f"The token has iss={quoted(token.issuer)}, azp={_shown(token.authorized_party)}, "
        f"aud={_shown(', '.join(token.audience))}, sub={_shown(token.subject)}"
        + (f" ({quoted(token.email)})" if token.email else "")
        + "."
    )
    if code == "AccessDenied":
        cause = f"The role's trust policy does not admit it, or there is no such role. {claims}"
        return cause, _how_to_admit(token, role), "exchange/denied"
    if code == "InvalidIdentityToken":
        fix = (
            "delete the IAM OIDC provider for accounts.google.com from the AWS account (AWS trusts "
            f"Google without one), or add {quoted(_aws_audience(token))} to its client ids."
            if token.issuer in GOOGLE_ISSUERS and "audience" in message.lower()
            else "check that AWS trusts this issuer, and this machine's clock."
        )
        return claims, fix, "exchange/invalid-token"
    if code == "ExpiredTokenException":
        expired = f"By its own claim it lives until {token.expiration:%H:%M:%S} UTC."
        return expired, "check this machine's clock and the token source.", "exchange/expired-token"
    cause, fix, error_id = _cause_in_request(role, code, message, status)
    return cause or (claims if error_id == "exchange/refused" else ""), fix, error_id


def _aws_audience(token: IdToken) -> str:
    """What AWS looks for among the client ids of an IAM OIDC provider."""
    from gcp_aws_bridge.policy import aws_audience

    party = () if token.authorized_party is None else (token.authorized_party,)
    return aws_audience(token.audience, party)[0][0]


def _cause_in_request(role: Role, code: str, message: str, status: int) -> tuple[str, str, str]:
    """What any hop can be refused for: cause, fix, id."""
    if code == "ValidationError" and "DurationSeconds" in message:
        return (
            f"duration_seconds is {role.duration_seconds}.",
            "ask for less, or raise the role's maximum session duration.",
            "exchange/duration",
        )
    if code in ("MalformedPolicyDocument", "PackedPolicyTooLarge"):
        return "", "mend or shorten the session policy (policy=, policy_arns=).", "exchange/policy"
    if code == "RegionDisabledException":
        return "", "enable STS in this region in the IAM console.", "exchange/region"
    if is_retryable(code, status):
        return "", "wait; it is retried. Look at the AWS health dashboard.", "exchange/unavailable"
    return "", _GENERIC_FIX, "exchange/refused"


def _shown(claim: str | None) -> str:
    return "none" if claim is None else quoted(claim)
