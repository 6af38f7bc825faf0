"""Explains why Google's token endpoint rejected the subject token, with the names to correct.

The patterns match Google's messages, from "Troubleshoot Workload Identity Federation" and from
reports of users. A finding names each cause that a message may have.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from gcp_aws_bridge.doctor.context import required
from gcp_aws_bridge.doctor.google import commands
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._subject_tokens import SignedRequest
from gcp_aws_bridge.policy.cel import LONGEST_SUBJECT

_Explanation = Callable[[GoogleContext, Finding], Finding]


def explain(context: GoogleContext, error: ExchangeError) -> Finding:
    """Explain why the token endpoint rejected the subject token, or was not reached."""
    found = Finding.of("exchange", error)
    if found.id in _SUBJECT_TOKEN_IDS:
        message = _message(found)
        matches = (function for sign, function in _BY_MESSAGE if re.search(sign, message))
        return next(matches, _by_kind)(context, found)
    explanation = _BY_ID.get(found.id)
    return explanation(context, found) if explanation else found


def failure(found: Finding) -> str:
    """Return what failed and Google's message, without the cause that the library adds."""
    summary, details, message = found.seen.partition(' Google says "')
    if details:
        return f"{summary.partition('. ')[0]}.{details}{message}"
    return f"{found.seen} ".rpartition('". ')[0] + '".'


# A provider has one account or issuer: a change takes access from all its other workloads.
_ALONE = "if no other workload uses the provider"


def _message(found: Finding) -> str:
    """Return Google's code and message in lower case."""
    return failure(found).partition(": ")[2].lower()


def unavailable(context: GoogleContext, found: Finding) -> Finding:
    """Explain an outage or a quota."""
    fix = "wait, and try again: the library does; https://status.cloud.google.com"
    return replace(found, wanted="An answer a little later.", fix=fix)


def _by_kind(context: GoogleContext, found: Finding) -> Finding:
    """Compare the kind of token in Google's message with the kind that was sent."""
    is_signed = isinstance(context.source, SignedRequest)
    other_kind = r"id token|\bjwt\b" if is_signed else r"\baws\b"
    return _kind(context, found) if re.search(other_kind, _message(found)) else found


def _kind(context: GoogleContext, found: Finding) -> Finding:
    if isinstance(context.source, SignedRequest):
        seen = "it is of OIDC, and got a signed request."
        fix = "use --source token-file, or outbound: it is of OIDC; or name a provider of AWS"
    else:
        seen = "it is of AWS, and got an OIDC token."
        fix = "use --source signed-request: it is of AWS; or name a provider of OIDC"
    return replace(
        found,
        seen=f"{failure(found)} The provider is of the other kind: {seen}",
        wanted="A provider of the kind that the source is for.",
        fix=f"{commands.describe(context)}\n{fix}",
        id="doctor/google-kind",
    )


def _condition(context: GoogleContext, found: Finding) -> Finding:
    identity = quoted(context.caller or "it", 2048)
    if context.token:
        identity = f"sub={quoted(context.token.subject)}"
    condition = commands.condition(context)
    return replace(
        found,
        seen=f"{found.seen} This is {identity}.",
        wanted=f"A condition that is true for it: {condition}",
        fix=f"{commands.describe(context, 'attributeCondition')}\n"
        "if this identity should be admitted (this replaces the condition: keep the rest of it):\n"
        + commands.update(context, "attribute-condition", condition),
    )


def _subject(context: GoogleContext, found: Finding) -> Finding:
    claim, value = "ARN", context.caller
    fix = commands.update(context, "attribute-mapping", commands.mapping())
    if context.token:
        claim, value = "sub", context.token.subject
        fix = "map less of it: google.subject=assertion.sub.extract(…)"
    size = f" This identity's {claim} has {len(value.encode())} bytes: {quoted(value, 2048)}."
    return replace(
        found,
        seen=found.seen + size * bool(value),
        wanted=f"A mapping of google.subject to at most {LONGEST_SUBJECT} bytes.",
        fix=f"{commands.describe(context, 'attributeMapping')}\n{fix}",
    )


def _provider(context: GoogleContext, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{found.seen} Google's answer is the same for a provider that never existed, is "
        "deleted or disabled, or is in such a pool.",
        wanted="A provider of that name in state ACTIVE, in a pool in state ACTIVE.",
        fix=commands.restore(context),
    )


def _other_account(context: GoogleContext, found: Finding) -> Finding:
    account = context.caller.split(":")[4] if context.caller else ""
    if not account:
        return found
    named = {*re.findall(r"\b\d{12}\b", _message(found), re.ASCII)} - {account}
    provider = f" The provider is of account {named.pop()}." if len(named) == 1 else ""
    return replace(
        found,
        seen=f"{failure(found)} The keys are of account {account}, and AWS accepts them."
        + provider,
        wanted=f"A provider of the AWS account {account}.",
        fix=f"{commands.describe(context, 'aws.accountId')}\n"
        f"{_ALONE}: {commands.update(context, 'account-id', account)}\n"
        "or use keys of the other account, or a provider of this one",
        id="doctor/google-aws-account",
    )


def _aws_error(context: GoogleContext, found: Finding) -> Finding:
    return replace(
        found,
        wanted=f"Keys that AWS accepts in {context.region}, a region that the account has enabled.",
        fix=f"aws sts get-caller-identity --region {shlex.quote(context.region)}\n"
        "if only this region fails: export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
    )


def _audience(context: GoogleContext, found: Finding) -> Finding:
    audience = printable(",".join(context.token.audience)) if context.token else "AUDIENCE"
    wanted = required(context.federation).pool_audience
    return replace(
        found,
        seen=f"{failure(found)} The token's is {quoted(audience)}.",
        wanted=f"A token for {wanted}, or a provider that allows the token's audience.",
        fix=f"{commands.describe(context, 'oidc.allowedAudiences')}\n"
        f"project the serviceAccountToken with audience: {wanted}\n"
        f"or {commands.update(context, 'allowed-audiences', audience)}",
        id="doctor/google-audience",
    )


def _issuer_of(context: GoogleContext) -> str:
    return printable(context.token.issuer) if context.token else "ISSUER"


def _issuer(context: GoogleContext, found: Finding) -> Finding:
    issuer = _issuer_of(context)
    return replace(
        found,
        seen=f"{failure(found)} The token's issuer is {quoted(issuer, 2048)}: another cluster or "
        "account than the provider's.",
        wanted="A provider of that issuer.",
        fix=f"{commands.describe(context, 'oidc.issuerUri')}\n"
        f"{_ALONE}: {commands.update(context, 'issuer-uri', issuer)}\n"
        "or name the provider of this cluster",
        id="doctor/google-issuer",
    )


def _issuer_keys(context: GoogleContext, found: Finding) -> Finding:
    url = f"{_issuer_of(context).rstrip('/')}/.well-known/openid-configuration"
    return replace(
        found,
        seen=f"{failure(found)} Google does not have the issuer's key that signed the token: it "
        "cannot reach the issuer, or the issuer has replaced its keys.",
        wanted="An issuer whose keys Google can read, or keys uploaded to the provider.",
        fix=f"curl -s {shlex.quote(url)}\n"
        "if that is not public: kubectl get --raw /openid/v1/jwks > jwks.json\n"
        f"{commands.update(context, 'jwk-json-path', 'jwks.json')}",
        id="doctor/google-issuer-keys",
    )


def _stale(context: GoogleContext, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{failure(found)} By Google's clock the token has expired, or is from the future.",
        wanted="A fresh token, and clocks that agree.",
        fix="date -u\nhave the token file written again (the kubelet refreshes its own)",
        id="doctor/google-stale",
    )


# The subject token may be at fault, and Google's message says how.
_SUBJECT_TOKEN_IDS = frozenset(
    {
        "exchange/google-aws",
        "exchange/google-aws-region",
        "exchange/google-token",
        "exchange/google-unknown",
    }
)
# The first match counts.
_BY_MESSAGE: tuple[tuple[str, _Explanation], ...] = (
    ("subject_token_type", _kind),
    ("invalid aws response", _aws_error),
    ("audience in id token", _audience),
    ("issuer in id token", _issuer),
    ("given credential's issuer", _issuer_keys),
    ("stale to sign-in", _stale),
)
_BY_ID: dict[str, _Explanation] = {
    "exchange/google-aws-account": _other_account,
    "exchange/google-condition": _condition,
    "exchange/google-subject": _subject,
    "exchange/google-provider": _provider,
    "exchange/google-unavailable": unavailable,
}
