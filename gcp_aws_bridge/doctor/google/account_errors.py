"""Explains why the IAM Credentials API denied the service account's token."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gcp_aws_bridge.doctor.context import required
from gcp_aws_bridge.doctor.google import commands
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.google.errors import failure, unavailable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError

# Errors of the library that the messages below tell apart.
_IDS = frozenset(
    {
        "exchange/google-account",
        "exchange/google-api",
        "exchange/google-impersonation",
        "exchange/google-lifetime",
        "exchange/google-perimeter",
    }
)


def explain(context: GoogleContext, error: ExchangeError) -> Finding:
    """Explain why the IAM Credentials API returned an error, or was not reached."""
    found = Finding.of("account", error)
    if found.id == "exchange/google-unavailable":
        return unavailable(context, found)
    if found.id not in _IDS:
        return found
    for sign, explanation in _BY_MESSAGE:
        if re.search(sign, found.seen, re.IGNORECASE):
            return explanation(context, replace(found, seen=failure(found)))
    return found


def _api(context: GoogleContext, found: Finding) -> Finding:
    wanted = "The IAM Credentials API, enabled in the project that it names."
    return replace(found, wanted=wanted, id="doctor/google-api")


def _perimeter(context: GoogleContext, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{found.seen} A perimeter of VPC Service Controls does not admit this identity.",
        wanted="An ingress rule of the perimeter that admits it.",
        fix=f"admit {commands.member(context)} to iamcredentials.googleapis.com and "
        "sts.googleapis.com\ngcloud access-context-manager perimeters list --policy=POLICY",
        id="doctor/google-perimeter",
    )


def _no_account(context: GoogleContext, found: Finding) -> Finding:
    name = shlex.quote(_email(context).partition("@")[0])
    project = f"--project={commands.account_project(context)}"
    return replace(
        found,
        seen=f"{found.seen} There is no such service account.",
        wanted="A service account of that name, which was not deleted.",
        fix=f"{_describe(context)}\ngcloud iam service-accounts list {project}\n"
        "if it has another name: export GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT=EMAIL\n"
        f"else create it: gcloud iam service-accounts create {name} {project}",
        id="doctor/google-no-account",
    )


def _binding(context: GoogleContext, found: Finding) -> Finding:
    bind = partial(commands.bind, context)
    bindings = "\nor, with the mapping of gcp-aws-bridge setup:\n".join(
        map(bind, commands.members(context))
    )
    return replace(
        found,
        seen=f"{found.seen} Google's answer is the same if there is no such account.",
        wanted=f"roles/iam.workloadIdentityUser on it for {commands.member(context)}",
        fix=f"{_describe(context)}\n{bindings}",
        id="doctor/google-binding",
    )


def _lifetime(context: GoogleContext, found: Finding) -> Finding:
    return replace(
        found,
        seen=f"{found.seen} {required(context.federation).lifetime_s} s were requested.",
        wanted="3600 s at most, or an account that the organization allows more.",
        fix="leave lifetime_s out\nor list the account in the constraint "
        "constraints/iam.allowServiceAccountCredentialLifetimeExtension",
        id="doctor/google-lifetime",
    )


def _email(context: GoogleContext) -> str:
    return str(required(context.federation).service_account)


def _describe(context: GoogleContext) -> str:
    return f"gcloud iam service-accounts describe {shlex.quote(_email(context))}"


# The first match counts.
_BY_MESSAGE: tuple[tuple[str, Callable[[GoogleContext, Finding], Finding]], ...] = (
    ("has not been used in project|SERVICE_DISABLED", _api),
    ("vpcServiceControls|prohibited by organization", _perimeter),
    ("NOT_FOUND", _no_account),
    ("getAccessToken", _binding),
    ("lifetime", _lifetime),
)
