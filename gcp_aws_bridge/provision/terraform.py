"""The plan as Terraform (providers google and aws), laid out as `terraform fmt` does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gcp_aws_bridge.provision.blocks import (
    applied,
    google_account,
    head,
    permissions,
    providers,
    services,
)
from gcp_aws_bridge.provision.hcl import Expression, block, function
from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan

__all__ = ["terraform"]

_NUMBER = "google_service_account.workload.unique_id"


def terraform(plan: Plan) -> str:
    """One file: what is to be in both clouds, and what the program needs to know of it."""
    return "\n".join(_blocks(plan))


def _blocks(plan: Plan) -> Iterator[str]:
    at, aws = plan.workload, plan.role
    yield _head(plan)
    yield from providers(at.project, aws.account, REGIONS[aws.partition])
    yield services(at.services)
    if at.gsa:
        yield google_account(at.gsa, "for AWS")
        if at.in_cluster:
            yield _link(plan)
    else:
        yield "# AWS takes tokens that the cluster signs, for this audience.\n" + block(
            "resource",
            "aws_iam_openid_connect_provider cluster",
            [("url", at.issuer), ("client_id_list", [aws.audience])],
        )
    yield _role(plan)
    yield from permissions(aws)
    yield block("output", "environment", [("value", plan.variables)])


def _head(plan: Plan) -> str:
    at = plan.workload
    before = " The cluster stands, with Workload Identity on." if at.platform == "gke" else ""
    return head(
        "Lets a workload on Google Cloud assume a role in AWS.",
        f"What there is already, `terraform import` takes in.{before}",
        f"Then: {applied(at.namespace)}"
        if at.in_cluster
        else "Then let the workload run as that account, with the variables of the output.",
    )


_CLUSTER = "data.google_container_cluster.workload"


def _link(plan: Plan) -> str:
    at = plan.workload
    cluster = [("name", at.cluster), ("location", at.location), ("project", at.project)]
    asked = block("data", "google_container_cluster workload", cluster)
    why = "# The cluster says what the workload identity pool of its domain-scoped project is.\n"
    return (
        ("" if at.pool else f"{why}{asked}\n")
        + "# Pods with the Kubernetes service account may act as the Google one.\n"
        + block(
            "resource",
            "google_service_account_iam_member workload_identity",
            [
                ("service_account_id", Expression("google_service_account.workload.name")),
                ("role", "roles/iam.workloadIdentityUser"),
                ("member", at.member(at.pool) if at.pool else _member_by_cluster(plan)),
            ],
        )
    )


def _member_by_cluster(plan: Plan) -> Expression:
    pool = f"{_CLUSTER}.workload_identity_config[0].workload_pool"
    return Expression(f'"{plan.workload.member(f"${{{pool}}}")}"')


def _role(plan: Plan) -> str:
    aws = plan.role
    why = (
        "# Who the token is for, and whose it is. With :aud alone, which is the account again,\n"
        "# every service that gets this account's tokens could have the role.\n"
    )
    return (why if plan.workload.gsa else "") + block(
        "resource",
        "aws_iam_role workload",
        [
            ("name", aws.name),
            *([("path", aws.path)] if aws.path != "/" else []),
            ("description", "Assumed from Google Cloud; see gcp-aws-bridge"),
            ("assume_role_policy", function("jsonencode", _with_number(plan.trust_policy()))),
            *([] if plan.workload.gsa else [_AFTER_PROVIDER]),
        ],
    )


# The policy names the provider by its ARN, which Terraform does not see the need in.
_AFTER_PROVIDER = ("depends_on", [Expression("aws_iam_openid_connect_provider.cluster")])


def _with_number(value: Any) -> Any:
    """*value* with the number's place taken by the expression that has it."""
    if isinstance(value, Mapping):
        return {key: _with_number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_number(item) for item in value]
    return Expression(_NUMBER) if value == UNKNOWN_NUMBER else value
