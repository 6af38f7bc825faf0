"""Writes the plan as Terraform (providers google and aws), formatted like `terraform fmt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gcp_aws_bridge.policy.hcl import Expression, block, function
from gcp_aws_bridge.provision import blocks
from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan

__all__ = ["terraform"]

_NUMBER = "google_service_account.workload.unique_id"


def terraform(plan: Plan) -> str:
    """Return one file with the resources of both clouds, and the environment of the program."""
    return "\n".join(_blocks(plan))


def _blocks(plan: Plan) -> Iterator[str]:
    at, aws = plan.workload, plan.role
    yield _head(plan)
    yield from blocks.providers(at.project, aws.account, REGIONS[aws.partition])
    yield blocks.services(at.services)
    if at.gsa:
        yield blocks.google_account(at.gsa, "for AWS")
        yield from _platform_roles(plan)
        if at.in_cluster:
            yield _impersonation(plan)
    else:
        provider = blocks.oidc_provider(at.issuer, aws.audience)
        yield f"# AWS accepts tokens of the cluster for this audience.\n{provider}"
    yield _role(plan)
    yield from blocks.permissions(aws)
    yield from plan.chain.blocks()
    if plan.annotate:
        yield block("output", "annotations", [("value", plan.annotations)])
    elif at.platform == "dataflow":
        yield block("output", "pipeline_options", [("value", plan.pipeline_options)])
    else:
        yield block("output", "environment", [("value", plan.variables)])


def _head(plan: Plan) -> str:
    at = plan.workload
    before = (
        " The cluster must exist, with Workload Identity enabled." if at.platform == "gke" else ""
    )
    return blocks.head(
        "Lets a workload on Google Cloud assume a role in AWS.",
        f"Use `terraform import` for existing resources.{before}",
        f"Then: {blocks.applied(at.namespace)}"
        if at.in_cluster
        else "Then run the workload as the service account, with the values of the output.",
    )


def _platform_roles(plan: Plan) -> Iterator[str]:
    platform = plan.workload.of_platform
    member = Expression("google_service_account.workload.member")
    if platform.roles:
        yield blocks.grants(plan.workload.project, platform.roles, member)
    if platform.roles_on_itself:
        yield block(
            "resource",
            "google_service_account_iam_member itself",
            [
                ("for_each", function("toset", [*platform.roles_on_itself])),
                ("service_account_id", Expression("google_service_account.workload.name")),
                ("role", Expression("each.value")),
                ("member", member),
            ],
        )


_CLUSTER = "data.google_container_cluster.workload"


def _impersonation(plan: Plan) -> str:
    at = plan.workload
    cluster = [("name", at.cluster), ("location", at.location), ("project", at.project)]
    data = block("data", "google_container_cluster workload", cluster)
    why = "# The workload identity pool of a domain-scoped project is read from the cluster.\n"
    return (
        ("" if at.pool else f"{why}{data}\n")
        + "# Pods with the Kubernetes service account may impersonate the Google service account.\n"
        + blocks.impersonation(at.member(at.pool) if at.pool else _member_by_cluster(plan))
    )


def _member_by_cluster(plan: Plan) -> Expression:
    pool = f"{_CLUSTER}.workload_identity_config[0].workload_pool"
    return Expression(f'"{plan.workload.member(f"${{{pool}}}")}"')


def _role(plan: Plan) -> str:
    aws = plan.role
    why = (
        "# Pins the audience and the account of the token. With :aud alone, which is the account\n"
        "# again, every service that receives tokens of this account could assume the role.\n"
    )
    return (why if plan.workload.gsa else "") + blocks.role(
        aws,
        "Assumed from Google Cloud; see gcp-aws-bridge",
        _with_number(plan.trust_policy()),
        needs_provider=not plan.workload.gsa,
    )


def _with_number(value: Any) -> Any:
    """Return *value* with the unknown number replaced by an expression."""
    if isinstance(value, Mapping):
        return {key: _with_number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_number(item) for item in value]
    return Expression(_NUMBER) if value == UNKNOWN_NUMBER else value
