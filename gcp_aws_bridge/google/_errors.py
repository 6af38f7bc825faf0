"""What to say when Google refuses or is not reached: pure functions that return `ExchangeError`s.

Each table row is a sign that is known: words that Google documents or that users report. An answer
without one is said to be unknown, in Google's words, and no cause is guessed. Sources: RFC 6749,
section 5.2, and RFC 8693, section 2.2.2; Google Cloud, "Troubleshoot Workload Identity Federation";
IAM, "Roles and permissions"; google.rpc.Code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS
from gcp_aws_bridge._tokens.id_token import skew
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._network_errors import not_from_google


class Answered(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def date(self) -> datetime | None: ...


@dataclass(frozen=True)
class Asked:
    """What a request asked for, as far as an error may name it.

    Attributes:
        region: The AWS region that a signed request is for; empty for none.
    """

    scopes: tuple[str, ...] = ()
    region: str = ""


class Sign(NamedTuple):
    """What some words in an answer mean.

    Attributes:
        words: A regular expression; case does not matter.
        cause: What is wrong, if the words mean one thing only. Names in braces are filled in.
        fix: What to do.
    """

    words: str
    cause: str
    fix: str
    error_id: str


_LONGEST = 290  # characters of summary and fix, without what stands between them
_POOLS = "gcloud iam workload-identity-pools"
_DESCRIBE = f"{_POOLS} providers describe {{provider}}"
WAIT = (
    "",
    "wait: the library tries again. If it lasts: quotas, and https://status.cloud.google.com",
    "exchange/google-unavailable",
)
_LOOK_UP = (
    "look Google's words up in its page Troubleshoot Workload Identity Federation; gcp-aws-bridge "
    "doctor --google tests each step."
)
_ASK_AWS = "aws sts get-caller-identity --region {region}"
_OTHER_REGION = "set AWS_REGION and AWS_DEFAULT_REGION to one that is enabled, such as us-east-1."
_OF_SUBJECT_TOKEN = "exchange/google-token"

_EXCHANGE = (
    Sign(
        "attribute condition",
        "The provider's attribute condition does not admit this identity.",
        f"compare aws sts get-caller-identity with {_DESCRIBE}; an AWS role is "
        "assumed-role/NAME/… there, without its path.",
        "exchange/google-condition",
    ),
    Sign(
        "bytes limit",
        "An AWS session's ARN is often longer than a subject may be.",
        "map less: for AWS, google.subject=assertion.account + ':' + "
        "assertion.arn.extract('assumed-role/{role}/'); for OIDC, a shorter claim.",
        "exchange/google-subject",
    ),
    Sign(
        "8 kb limit",
        "The provider maps more attributes, or longer ones, than Google takes.",
        f"map less: {_DESCRIBE} --format='value(attributeMapping)'.",
        "exchange/google-subject",
    ),
    Sign(
        "value for google.subject",
        "The provider maps google.subject to something that this identity does not have.",
        f"{_DESCRIBE} --format='value(attributeMapping)', and map google.subject to "
        "assertion.sub (OIDC) or assertion.arn (AWS).",
        "exchange/google-subject",
    ),
    Sign(
        '^invalid_target|value for "audience"',
        "There is no such provider, or it is disabled.",
        f"{_DESCRIBE} shows it, with its state; the audience has the project's number.",
        "exchange/google-provider",
    ),
    Sign(
        "^invalid_scope",
        "Google does not know one of the scopes: {scopes}.",
        "give scopes= as URLs, such as https://www.googleapis.com/auth/cloud-platform, or leave "
        "it out.",
        "exchange/google-scope",
    ),
    Sign(
        r"aws account|account \d{12}.*account \d{12}",
        "{accounts}",
        f"compare aws sts get-caller-identity --query Account with {_DESCRIBE} "
        "--format='value(aws.accountId)'; name a provider of the keys' account, or use keys of the "
        "provider's.",
        "exchange/google-aws-account",
    ),
    Sign(
        "regiondisabled|valid region",
        "AWS STS in {region} does not take these keys.",
        f"{_OTHER_REGION} Which work says {_ASK_AWS}",
        "exchange/google-aws-region",
    ),
    Sign(
        "invalid format of aws|aws request has invalid",
        "Google cannot read the signed request, which is for AWS STS in {region}.",
        f"see that there is such a region: {_ASK_AWS}; else {_OTHER_REGION} Or a proxy changes "
        "requests.",
        "exchange/google-aws",
    ),
    Sign(
        "aws response",
        "AWS did not confirm who signed.",
        "check that the keys are valid (aws sts get-caller-identity), and this machine's clock.",
        "exchange/google-aws",
    ),
    Sign(
        "subject_token_type",
        "The provider is of another kind than the subject token.",
        'give source="signed-request" for an AWS provider, "token-file" or "outbound" for one of '
        f"OIDC: {_DESCRIBE}.",
        _OF_SUBJECT_TOKEN,
    ),
    Sign(
        "audience in id token",
        "The provider does not allow the token's audience.",
        "have the token made for https:{audience}, or allow its audience: "
        f"{_DESCRIBE} --format='value(oidc.allowedAudiences)'.",
        _OF_SUBJECT_TOKEN,
    ),
    Sign(
        "issuer in id token",
        "The token is of another issuer than the provider's.",
        f"name this cluster's provider: {_DESCRIBE} --format='value(oidc.issuerUri)'.",
        _OF_SUBJECT_TOKEN,
    ),
    Sign(
        "credential's issuer|token signature",
        "Google has no key of the issuer that verifies the token.",
        "get a new token from its issuer; see that the issuer's keys are public, or give them to "
        f"the provider: {_POOLS} providers update-oidc {{provider}} --jwk-json-path=FILE.",
        _OF_SUBJECT_TOKEN,
    ),
    Sign(
        "stale to sign-in",
        "The token has expired, or is from the future, by Google's clock.",
        "check the clocks (date -u), and what writes the token file.",
        _OF_SUBJECT_TOKEN,
    ),
    Sign(
        "id token is malformed",
        "Google cannot read the token.",
        "look at what the source returns: an OIDC token is three base64url parts.",
        _OF_SUBJECT_TOKEN,
    ),
)


def exchange(
    federation: Federation,
    error: Exception,
    seen: Answered,
    now: datetime,
    asked: Asked | None = None,
) -> ExchangeError:
    """Return the error for a subject token that Google's token endpoint refused."""
    try:
        answer = json.loads(error.args[1])
        code, said = answer["error"], str(answer.get("error_description", ""))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        code = None
    if not isinstance(code, str):
        return not_from_google(federation, error, seen.status)
    code = one_word(code)
    off = skew(now, seen.date) if seen.date else ""
    found = explained(_EXCHANGE, f"{code} {said}")
    if off:
        found = _clock(off)
    elif seen.status in TRANSIENT_STATUS:
        found = WAIT
    cause, fix, error_id = found or unknown(code)
    values = {**names(federation, asked or Asked()), "accounts": _accounts(said)}
    head, cause, fix = f"Google refused {federation.label}: {code}", *both(cause, fix, values)
    short, details = words_of(said, head + cause + fix)
    made = ExchangeError(
        f"{head}{short}. {cause}".strip(),
        fix=fix,
        error_id=error_id,
        code=code,
        retryable=seen.status in TRANSIENT_STATUS,
        details=details,
    )
    made.date = seen.date
    return made


def both(cause: str, fix: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Return cause and fix with the names in braces replaced."""
    return filled(cause, values), filled(fix, values)


def words_of(said: object, rest: str) -> tuple[str, str]:
    """Return Google's words for the summary, if there is room beside *rest*, or for the details."""
    words = quoted(said, 300)
    if not said:
        return "", ""
    fits = len(rest) + len(words) <= _LONGEST
    return (f" {words}", "") if fits else ("", f"Google says {words}.")


def explained(signs: Iterable[Sign], answer: str) -> tuple[str, str, str] | None:
    """Return cause, fix and error id of the first sign in *answer*; None where none is there."""
    found = (sign for sign in signs if re.search(sign.words, answer, re.IGNORECASE))
    return next((sign[1:] for sign in found), None)


def unknown(code: str) -> tuple[str, str, str]:
    return (
        f"What Google says here with {code} is not known to gcp-aws-bridge.",
        _LOOK_UP,
        "exchange/google-unknown",
    )


def names(federation: Federation, asked: Asked) -> dict[str, str]:
    return {
        "audience": federation.audience,
        "provider": f"projects/{federation.audience.partition('/projects/')[2]}",
        "scopes": quoted(" ".join(asked.scopes), 300),
        "region": asked.region or "its region",
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with the names in braces replaced; other braces are CEL's."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _accounts(said: str) -> str:
    numbers = sorted({*re.findall(r"\b\d{12}\b", said, re.ASCII)})
    if len(numbers) != 2:
        return "The AWS keys are of another account than the provider's."
    return (
        f"One of the AWS accounts {' and '.join(numbers)} is the provider's; the keys are of the "
        "other one."
    )


def one_word(found: object) -> str:
    """Return Google's code, which is one word; anything else is quoted."""
    return str(found) if re.fullmatch(r"\w{1,64}", str(found), re.ASCII) else quoted(found, 64)


def _clock(off: str) -> tuple[str, str, str]:
    return (
        f"This machine's clock is {off} Google's.",
        "set it right (NTP); a signature or a token that is minutes off is refused.",
        "exchange/clock",
    )
