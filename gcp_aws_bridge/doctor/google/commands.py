"""Names of this identity in Google's policies and providers, and the commands that admit it.

Mapping, condition and member have the form in which `gcp-aws-bridge setup` writes them. Sources:
Google Cloud IAM, "Principal identifiers" and "Workload Identity Federation" (attribute mappings).
"""

from __future__ import annotations

import json
import shlex

from gcp_aws_bridge.doctor.context import required
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.policy import names
from gcp_aws_bridge.policy.cel import OF_ROLE

_POOLS = "gcloud iam workload-identity-pools"


def principal(context: GoogleContext) -> str:
    """Return the AWS identity's ARN without the session's name; capitals for unknown parts."""
    if not context.caller:
        return "arn:aws:sts::ACCOUNT:assumed-role/ROLE"
    arn = printable(context.caller)
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def condition(context: GoogleContext) -> str:
    """Return a provider's condition that is true for this identity only."""
    if context.token is not None:
        return f"assertion.sub == {_literal(printable(context.token.subject))}"
    arn = principal(context)
    if ":assumed-role/" in arn:
        return f"assertion.arn.startsWith({_literal(arn + '/')})"
    return f"assertion.arn == {_literal(arn)}"


def _literal(value: str) -> str:
    """Return a CEL string; JSON's escapes are valid in CEL as well."""
    return json.dumps(value) if {"'", "\\"} & set(value) else f"'{value}'"


def member(context: GoogleContext) -> str:
    """Return the identity as Google's policies name it, with the usual attribute mapping."""
    if context.token is not None:
        return f"principal://{_pool(context)}/subject/{printable(context.token.subject)}"
    return f"principalSet://{_pool(context)}/attribute.aws_role/{principal(context)}"


def members(context: GoogleContext) -> list[str]:
    """Return the member, and the one with `setup`'s attribute mapping if that differs."""
    found = [member(context)]
    token = context.token
    if token is not None and token.subject.startswith("system:serviceaccount:"):
        provider = required(context.federation).audience.rpartition("/")[2]
        found.append(f"principal://{_pool(context)}/subject/{provider}:{printable(token.subject)}")
    return found


def _pool(context: GoogleContext) -> str:
    audience = required(context.federation).audience
    return audience.partition("/providers/")[0].removeprefix("//")


def _provider(context: GoogleContext) -> str:
    """Return the provider's full name, in which gcloud accepts the project's number."""
    return f"projects/{required(context.federation).audience.partition('/projects/')[2]}"


def describe(context: GoogleContext, part: str = "") -> str:
    """Return the command that shows the provider, or one part of it."""
    option = f" --format='value({part})'" if part else ""
    return f"{_POOLS} providers describe {_provider(context)}{option}"


def restore(context: GoogleContext) -> str:
    """Return the commands that show pool and providers, and that restore or enable this one."""
    provider = _provider(context)
    pool = provider.partition("/providers/")[0]
    return (
        f"{_POOLS} describe {pool}\n"
        f"if its state is DELETED: {_POOLS} undelete {pool}\n"
        f"if it is disabled: {_POOLS} update {pool} --no-disabled\n"
        f"{_POOLS} providers list --workload-identity-pool={pool} --show-deleted\n"
        f"if its state is DELETED: {_POOLS} providers undelete {provider}\n"
        f"if it is disabled: {_POOLS} providers {_update(context)} --no-disabled\n"
        "if it has another name: export GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=//iam.googleapis.com/NAME"
    )


def update(context: GoogleContext, option: str, value: str) -> str:
    """Return the command that sets one option of the provider."""
    return f"{_POOLS} providers {_update(context)} --{option}={shlex.quote(value)}"


def _update(context: GoogleContext) -> str:
    return f"update-{'aws' if context.token is None else 'oidc'} {_provider(context)}"


def mapping() -> str:
    """Return OF_ROLE in the form of gcloud's option."""
    return ",".join(f"{name}={value}" for name, value in OF_ROLE.items())


def bind(context: GoogleContext, name: str) -> str:
    """Return the command that lets the member *name* act as the service account."""
    account = str(required(context.federation).service_account)
    return (
        f"gcloud iam service-accounts add-iam-policy-binding {shlex.quote(account)} "
        f"--project={account_project(context)} --role=roles/iam.workloadIdentityUser "
        f"--member={shlex.quote(name)} --condition=None"
    )


def account_project(context: GoogleContext) -> str:
    """Return the project of the service account, or a placeholder, for a shell."""
    account = str(required(context.federation).service_account)
    return names.quoted_project(account)
