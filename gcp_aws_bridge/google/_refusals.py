"""What to say when Google said no: pure functions from what was seen to an `ExchangeError`.

Sources of codes and words: RFC 6749, section 5.2, and RFC 8693, section 2.2.2; Google Cloud,
"Troubleshoot Workload Identity Federation"; google.rpc.Code; and what users of the token endpoint
report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from gcp_aws_bridge._id_token import skew
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._federation import Federation


class _Answered(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def date(self) -> datetime | None: ...


# Worth the same request again: google.rpc.Code as HTTP, and proxies on the way.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def exchange(
    federation: Federation, error: Exception, seen: _Answered, now: datetime
) -> ExchangeError:
    """Google's token endpoint refused the subject token."""
    try:
        answer = json.loads(error.args[1])
        code, said = answer["error"], str(answer.get("error_description", ""))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        code = None
    if not isinstance(code, str):
        return not_from_google(federation, error, seen.status)
    code = _code(code)
    off = skew(now, seen.date) if seen.date else ""
    cause, fix, error_id = _clock(off) if off else _cause(federation, code, said)
    made = ExchangeError(
        f"Google refused {federation.label}: {code} {quoted(said, 300)}. {cause}".strip(),
        fix=fix,
        error_id=error_id,
        code=code,
        retryable=seen.status in _PASSING,
    )
    made.date = seen.date
    return made


def _code(found: object) -> str:
    """A code of Google's, which is one word; what else an answer has there is quoted."""
    return str(found) if re.fullmatch(r"\w{1,64}", str(found), re.ASCII) else quoted(found, 64)


def _clock(off: str) -> tuple[str, str, str]:
    return (
        f"This machine's clock is {off} Google's.",
        "set it right (NTP); a signature or a token that is minutes off is refused.",
        "exchange/clock",
    )


def _cause(federation: Federation, code: str, said: str) -> tuple[str, str, str]:
    """What is behind it, what mends it, and the id of both."""
    text = said.lower()
    if "attribute condition" in text:
        cause = "The provider's attribute condition does not admit this identity."
        fix = (
            "compare aws sts get-caller-identity with gcloud iam workload-identity-pools "
            "providers describe; an AWS role is assumed-role/NAME/… there, without its path."
        )
        return cause, fix, "exchange/google-condition"
    if "bytes limit" in text:
        cause = "An AWS session's ARN is often longer than what a subject may be."
        fix = (
            "map less: google.subject=assertion.account + ':' + "
            "assertion.arn.extract('assumed-role/{role}/')."
        )
        return cause, fix, "exchange/google-subject"
    if code == "invalid_target":
        cause = f"There is no such provider, or it is disabled: {federation.audience}."
        fix = (
            "see gcloud iam workload-identity-pools providers describe; the audience has the "
            "project's number."
        )
        return cause, fix, "exchange/google-provider"
    # An issuer's name may be of amazonaws.com, and a type of token has AWS in its own.
    if "aws" in text and "id token" not in text and "subject_token_type" not in text:
        cause = "AWS did not confirm who signed."
        fix = (
            "check that the keys are good (aws sts get-caller-identity), that this machine's "
            "clock is right, and that the provider is of the keys' account."
        )
        return cause, fix, "exchange/google-aws"
    fix = (
        "see that the provider is of the kind that the subject token is: one of AWS takes "
        'source="signed-request"; one of OIDC takes "token-file" or "outbound", and names '
        "the token's issuer and audience."
    )
    return "", fix, "exchange/google-token"


def impersonation(
    federation: Federation, method: str, answer: Any, seen: _Answered
) -> ExchangeError:
    """The IAM Credentials API refused."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    code, said = _code(error.get("status", seen.status)), error.get("message", "")
    account = federation.service_account
    fix = "look the code up in the reference of the IAM Service Account Credentials API."
    if seen.status in (403, 404):
        fix = (
            f"grant roles/iam.workloadIdentityUser on {account} to this identity (gcp-aws-bridge "
            "setup writes the command), and enable iamcredentials.googleapis.com."
        )
    elif seen.status == 400 and "lifetime" in str(said).lower():
        fix = "ask for 3600 s at most, or allow more by the organization's policy."
    made = ExchangeError(
        f"{method} for {account} failed: {code} {quoted(said, 300)}.",
        fix=fix,
        error_id="exchange/google-impersonation",
        code=code,
        # The federated token was taken back, or has just ended: the next attempt brings another.
        retryable=seen.status in _PASSING or seen.status == 401,
    )
    made.date = seen.date
    return made


def not_reached(federation: Federation, error: Exception) -> ExchangeError:
    """A network fault on the way to Google or back."""
    cause = error.args[0] if error.args else error
    certificate = "certificate" in str(cause).lower()
    return ExchangeError(
        f"Google was not reached for {federation.label}: {type(cause).__name__} "
        f"{quoted(cause, 300)}.",
        fix=(
            "check REQUESTS_CA_BUNDLE and what intercepts TLS on the way."
            if certificate
            else f"check DNS, egress rules and proxy settings for {federation.sts_url} and "
            f"{federation.iam_url}."
        ),
        error_id="exchange/google-unreachable",
        code=type(cause).__name__,
        # requests' ValueErrors are of addresses: of a proxy, say, that is none.
        retryable=not certificate and not isinstance(cause, ValueError),
    )


def not_from_google(federation: Federation, error: Exception, status: int) -> ExchangeError:
    """An answer that is not Google's; of *error*, the type alone: its text quotes it."""
    return ExchangeError(
        f"For {federation.label}, something answered what Google does not: HTTP {status} "
        f"({type(error).__name__}).",
        fix="look at proxies on the way, and at the token_url of the configuration.",
        error_id="exchange/google-answer",
        code=type(error).__name__,
        retryable=status in _PASSING or status == 200,
    )
