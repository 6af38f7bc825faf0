"""Why Google refused, with the names of this identity.

The words are Google's, as its "Troubleshoot Workload Identity Federation" has them or users report
them; where they cover several causes, the finding names each.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from gcp_aws_bridge.doctor.context import left
from gcp_aws_bridge.doctor.google import commands
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError, quoted
from gcp_aws_bridge.google._subject_tokens import SignedRequest
from gcp_aws_bridge.policy.cel import LONGEST_SUBJECT

_Explanation = Callable[[Walk, Finding], Finding]


# What may be wrong with the subject token, and Google's words say what.
_OF_SUBJECT_TOKEN = frozenset(
    {
        "exchange/google-aws",
        "exchange/google-aws-region",
        "exchange/google-token",
        "exchange/google-unknown",
    }
)


def exchange(walk: Walk, error: ExchangeError) -> Finding:
    """Explain why the token endpoint refused the subject token, or was not reached."""
    found = Finding.of("exchange", error)
    if found.id in _OF_SUBJECT_TOKEN:
        said = _words(found)
        explain = next((it for sign, it in _SIGNS if re.search(sign, said)), _by_kind)
        return explain(walk, found)
    return _BY_ID.get(found.id, _as_it_is)(walk, found)


def _refused(found: Finding) -> str:
    """Return what was refused, in Google's own words, without the cause that the library adds."""
    return f"{found.seen} ".rpartition('". ')[0] + '".'


def _words(found: Finding) -> str:
    """Return Google's code and words alone, in lower case."""
    return _refused(found).partition(": ")[2].lower()


def _passing(walk: Walk, found: Finding) -> Finding:
    fix = "wait, and try again: the library does; https://status.cloud.google.com"
    return replace(found, wanted="An answer a little later.", fix=fix)


def _as_it_is(walk: Walk, found: Finding) -> Finding:
    return found


def _by_kind(walk: Walk, found: Finding) -> Finding:
    """Compare what Google complains of with what it was shown; else nothing is known."""
    about = r"id token|\bjwt\b" if isinstance(walk.source, SignedRequest) else r"\baws\b"
    return _kind(walk, found) if re.search(about, _words(found)) else found


def _condition(walk: Walk, found: Finding) -> Finding:
    who = f"sub={quoted(walk.token.subject)}" if walk.token else quoted(walk.caller or "it", 2048)
    return replace(
        found,
        seen=f"{found.seen} This is {who}.",
        wanted=f"A condition that is true for it: {commands.condition(walk)}",
        fix=f"{commands.describe(walk, 'attributeCondition')}\n"
        "if this is who should get in (it replaces the condition: keep the rest of it):\n"
        + commands.update(walk, "attribute-condition", commands.condition(walk)),
    )


def _subject(walk: Walk, found: Finding) -> Finding:
    what, value = ("sub", walk.token.subject) if walk.token else ("ARN", walk.caller)
    size = f" This identity's {what} has {len(value.encode())} bytes: {quoted(value, 2048)}."
    fix = commands.update(walk, "attribute-mapping", commands.mapping())
    if walk.token is not None:
        fix = "map less of it: google.subject=assertion.sub.extract(…)"
    return replace(
        found,
        seen=found.seen + size * bool(value),
        wanted=f"A mapping of google.subject to at most {LONGEST_SUBJECT} bytes.",
        fix=f"{commands.describe(walk, 'attributeMapping')}\n{fix}",
    )


def _provider(walk: Walk, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{found.seen} Google says the same of one that never was, is deleted or disabled, "
        "and of a pool that is.",
        wanted="A provider of that name, in state ACTIVE, in a pool that is.",
        fix=commands.listed(walk),
    )


def _kind(walk: Walk, found: Finding) -> Finding:
    signed = isinstance(walk.source, SignedRequest)
    other = "OIDC" if signed else "AWS"
    return replace(
        found,
        seen=f"{_refused(found)} The provider is of the other kind: it is of {other}, and got "
        + ("a signed request." if signed else "an OIDC token."),
        wanted="A provider of the kind that the source is for.",
        fix=f"{commands.describe(walk)}\n"
        + (
            "give --source token-file, or outbound: it is of OIDC; or name a provider of AWS"
            if signed
            else "give --source signed-request: it is of AWS; or name a provider of OIDC"
        ),
        id="doctor/google-kind",
    )


def _other_account(walk: Walk, found: Finding) -> Finding:
    account = walk.caller.split(":")[4] if walk.caller else ""
    if not account:
        return found
    others = {*re.findall(r"\b\d{12}\b", _words(found), re.ASCII)} - {account}
    of_other = f" The provider is of account {others.pop()}." if len(others) == 1 else ""
    return replace(
        found,
        seen=f"{_refused(found)} The keys are of account {account}, and AWS takes them.{of_other}",
        wanted=f"A provider of the AWS account {account}.",
        fix=f"{commands.describe(walk, 'aws.accountId')}\n"
        f"{commands.update(walk, 'account-id', account)}\n"
        "or use keys of the other account: aws sts get-caller-identity",
        id="doctor/google-aws-account",
    )


def _aws_said_no(walk: Walk, found: Finding) -> Finding:
    return replace(
        found,
        wanted=f"Keys that AWS takes in {walk.region}, a region that the account has enabled.",
        fix="aws sts get-caller-identity --region "
        f"{shlex.quote(walk.region)}\nwhere that fails alone for this region: "
        "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
    )


def _audience(walk: Walk, found: Finding) -> Finding:
    audience = printable(",".join(walk.token.audience)) if walk.token else "AUDIENCE"
    wanted = left(walk.federation).pool_audience
    return replace(
        found,
        seen=f"{_refused(found)} The token's is {quoted(audience)}.",
        wanted=f"A token for {wanted}, or a provider that allows the token's audience.",
        fix=f"{commands.describe(walk, 'oidc.allowedAudiences')}\n"
        f"project the serviceAccountToken with audience: {wanted}\n"
        f"or {commands.update(walk, 'allowed-audiences', audience)}",
        id="doctor/google-audience",
    )


def _issuer(walk: Walk, found: Finding) -> Finding:
    issuer = printable(walk.token.issuer) if walk.token else "ISSUER"
    return replace(
        found,
        seen=f"{_refused(found)} The token is of {quoted(issuer, 2048)}: another cluster or "
        "account than the provider's.",
        wanted="A provider of that issuer.",
        fix=f"{commands.describe(walk, 'oidc.issuerUri')}\n"
        f"{commands.update(walk, 'issuer-uri', issuer)}\nor name the provider of this cluster",
        id="doctor/google-issuer",
    )


def _issuer_keys(walk: Walk, found: Finding) -> Finding:
    issuer = (printable(walk.token.issuer) if walk.token else "ISSUER").rstrip("/")
    return replace(
        found,
        seen=f"{_refused(found)} Google has no key of the issuer's that signed the token: it does "
        "not reach the issuer, or the issuer has others by now.",
        wanted="An issuer whose keys Google can read, or keys that were given to the provider.",
        fix=f"curl -s {shlex.quote(f'{issuer}/.well-known/openid-configuration')}\n"
        "where that is not public: kubectl get --raw /openid/v1/jwks > jwks.json\n"
        f"{commands.update(walk, 'jwk-json-path', 'jwks.json')}",
        id="doctor/google-issuer-keys",
    )


def _stale(walk: Walk, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{_refused(found)} The token is past its end, or from the future, by Google's clock.",
        wanted="A fresh token, and clocks that agree.",
        fix="date -u\nlet what writes the token file write it anew (the kubelet does)",
        id="doctor/google-stale",
    )


# In what Google says of a subject token that it does not take, in the order of trying.
_SIGNS: tuple[tuple[str, _Explanation], ...] = (
    ("subject_token_type", _kind),
    ("invalid aws response", _aws_said_no),
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
    "exchange/google-unavailable": _passing,
}


# What the library says of the IAM Credentials API, which has more names in it here.
_OF_ACCOUNT = frozenset(
    {
        "exchange/google-account",
        "exchange/google-api",
        "exchange/google-impersonation",
        "exchange/google-lifetime",
        "exchange/google-perimeter",
    }
)


def account(walk: Walk, error: ExchangeError) -> Finding:
    """Explain why the IAM Credentials API refused, or was not reached."""
    found = Finding.of("account", error)
    if found.id == "exchange/google-unavailable":
        return _passing(walk, found)
    if found.id not in _OF_ACCOUNT:
        return found
    for sign, finding_id, seen, wanted, fix in _of_account(walk):
        if re.search(sign, found.seen, re.IGNORECASE):
            seen = f"{_refused(found)} {seen}"
            return replace(found, seen=seen, wanted=wanted, fix=fix, id=finding_id)
    return found


def _of_account(walk: Walk) -> tuple[tuple[str, str, str, str, str], ...]:
    """What may be in a refusal: its sign, the id, what it means, what is wanted, what mends it."""
    email = str(left(walk.federation).service_account)
    number = commands.project_of(walk)
    shown = f"gcloud iam service-accounts describe {shlex.quote(email)}"
    bound = "\nor, with the mapping of gcp-aws-bridge setup:\n".join(
        commands.bind(walk, name) for name in commands.members(walk)
    )
    return (
        (
            "has not been used in project|SERVICE_DISABLED|API.*disabled",
            "doctor/google-api",
            "That is the project of the pool.",
            "The IAM Credentials API, enabled in the project that it names.",
            f"gcloud services enable iamcredentials.googleapis.com --project={number}",
        ),
        (
            "vpcServiceControls|prohibited by organization",
            "doctor/google-perimeter",
            "A perimeter of VPC Service Controls keeps this identity out.",
            "An ingress rule of the perimeter that admits it.",
            (
                f"admit {commands.member(walk)} to iamcredentials.googleapis.com and "
                "sts.googleapis.com\ngcloud access-context-manager perimeters list --policy=POLICY"
            ),
        ),
        (
            "NOT_FOUND",
            "doctor/google-no-account",
            "There is no such service account.",
            "A service account of that name, which was not deleted.",
            (
                f"{shown}\ngcloud iam service-accounts list --project="
                f"{commands.account_project(walk)}\n"
                "where it has another name: export GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL\n"
                f"else create it: gcloud iam service-accounts create "
                f"{shlex.quote(email.partition('@')[0])} "
                f"--project={commands.account_project(walk)}"
            ),
        ),
        (
            "getAccessToken",
            "doctor/google-binding",
            "Google says the same where there is no such account.",
            f"roles/iam.workloadIdentityUser on it for {commands.member(walk)}",
            f"{shown}\n{bound}",
        ),
        (
            "lifetime",
            "doctor/google-lifetime",
            f"{left(walk.federation).lifetime_s} s were asked for.",
            "3600 s at most, or an account that the organization allows more.",
            (
                "leave lifetime_s out\nor list the account in the constraint "
                "constraints/iam.allowServiceAccountCredentialLifetimeExtension"
            ),
        ),
    )
