"""How Google's policies and providers name this identity, and the commands that let it in.

Mapping, condition and member have the form in which `gcp-aws-bridge setup` writes them. Sources:
Google Cloud IAM, "Principal identifiers" and "Workload Identity Federation" (attribute mappings).
"""

from __future__ import annotations

import json
import shlex

from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.doctor.context import left
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.policy import names
from gcp_aws_bridge.policy.cel import OF_ROLE

_POOLS = "gcloud iam workload-identity-pools"


def whose(walk: Walk) -> str:
    """The AWS identity, without the name of its session; in capitals what is not known."""
    if not walk.caller:
        return "arn:aws:sts::ACCOUNT:assumed-role/ROLE"
    arn = printable(walk.caller)
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def subject(token: IdToken) -> str:
    """An OIDC token's `sub`."""
    return printable(token.subject)


def condition(walk: Walk) -> str:
    """A provider's condition that is true for this identity, and for no other."""
    if walk.token is not None:
        return f"assertion.sub == {_literal(subject(walk.token))}"
    if ":assumed-role/" in whose(walk):
        return f"assertion.arn.startsWith({_literal(whose(walk) + '/')})"
    return f"assertion.arn == {_literal(whose(walk))}"


def _literal(value: str) -> str:
    """A string of CEL; with quotes in it, JSON's escapes are CEL's as well."""
    return json.dumps(value) if {"'", "\\"} & set(value) else f"'{value}'"


def member(walk: Walk) -> str:
    """The identity as a policy of Google's names it, where the provider maps it as is usual."""
    if walk.token is not None:
        return f"principal://{_pool(walk)}/subject/{subject(walk.token)}"
    return f"principalSet://{_pool(walk)}/attribute.aws_role/{whose(walk)}"


def members(walk: Walk) -> list[str]:
    """It, and what it is with the mapping that `setup` writes, where that is another."""
    found = [member(walk)]
    if walk.token is not None and walk.token.subject.startswith("system:serviceaccount:"):
        provider = left(walk.federation).audience.rpartition("/")[2]
        found.append(f"principal://{_pool(walk)}/subject/{provider}:{subject(walk.token)}")
    return found


def _pool(walk: Walk) -> str:
    return left(walk.federation).audience.partition("/providers/")[0].removeprefix("//")


def _provider(walk: Walk) -> str:
    """The provider's whole name: gcloud takes no project's number elsewhere, and no id is known."""
    return f"projects/{left(walk.federation).audience.partition('/projects/')[2]}"


def describe(walk: Walk, what: str = "") -> str:
    """The command that shows the provider, or one part of it."""
    part = f" --format='value({what})'" if what else ""
    return f"{_POOLS} providers describe {_provider(walk)}{part}"


def listed(walk: Walk) -> str:
    """Return the commands that show pool and providers, and those that bring this one back."""
    provider = _provider(walk)
    pool = provider.partition("/providers/")[0]
    kind = "aws" if walk.token is None else "oidc"
    return (
        f"{_POOLS} describe {pool}\n"
        f"where its state is DELETED: {_POOLS} undelete {pool}\n"
        f"where it is disabled: {_POOLS} update {pool} --no-disabled\n"
        f"{_POOLS} providers list --workload-identity-pool={pool} --show-deleted\n"
        f"where its state is DELETED: {_POOLS} providers undelete {provider}\n"
        f"where it is disabled: {_POOLS} providers update-{kind} {provider} --no-disabled\n"
        "where it has another name: export GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=//iam.googleapis.com/NAME"
    )


def update(walk: Walk, option: str, value: str) -> str:
    """The command that sets one option of the provider."""
    kind = "aws" if walk.token is None else "oidc"
    return f"{_POOLS} providers update-{kind} {_provider(walk)} --{option}={shlex.quote(value)}"


def mapping() -> str:
    """OF_ROLE as an option of gcloud's takes it."""
    return ",".join(f"{name}={value}" for name, value in OF_ROLE.items())


def bind(walk: Walk, name: str) -> str:
    """The command that lets *name* act as the service account."""
    account = str(left(walk.federation).service_account)
    return (
        f"gcloud iam service-accounts add-iam-policy-binding {shlex.quote(account)} "
        f"--project={account_project(walk)} --role=roles/iam.workloadIdentityUser "
        f"--member={shlex.quote(name)} --condition=None"
    )


def account_project(walk: Walk) -> str:
    """Return the project of the service account, or a placeholder, for a shell."""
    return names.quoted_project(str(left(walk.federation).service_account))


def project_of(walk: Walk) -> str:
    """The number of the project that has the pool."""
    return _provider(walk).split("/")[1]
