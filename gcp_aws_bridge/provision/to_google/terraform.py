"""Writes the plan as Terraform (providers google and aws), formatted like `terraform fmt`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gcp_aws_bridge.policy.hcl import Block, Expression, block, function
from gcp_aws_bridge.provision import blocks
from gcp_aws_bridge.provision.plan import REGIONS, AwsRole
from gcp_aws_bridge.provision.to_google.aws_steps import DESCRIPTION
from gcp_aws_bridge.provision.to_google.plan import Plan
from gcp_aws_bridge.provision.to_google.trust import (
    IRSA_AUDIENCE,
    TOKEN_POLICY,
    UNKNOWN_ISSUER,
    token_policy,
    trust_policy,
)

__all__ = ["terraform"]

# Placeholder for the project's number, which the names of pools contain.
_NUMBER = "<PROJECT_NUMBER>"
_FILLED = {
    _NUMBER: "${data.google_project.this.number}",
    UNKNOWN_ISSUER.partition("://")[2]: "${local.issuer}",
}
_CLUSTER_ISSUER = Expression("data.aws_eks_cluster.this.identity[0].oidc[0].issuer")
_OUTBOUND_ISSUER = Expression("aws_iam_outbound_web_identity_federation.this.issuer_identifier")


def terraform(plan: Plan) -> str:
    """Return one file with the resources of both clouds, and the environment of the program."""
    found = "\n".join(_blocks(plan))
    # Names in the plan contain neither < nor a host that ends with `.invalid`.
    for place, expression in _FILLED.items():
        found = found.replace(place, expression)
    return found


def _blocks(plan: Plan) -> Iterator[str]:
    at, google = plan.workload, plan.google
    yield _head(plan)
    yield from blocks.providers(google.project, at.account, at.region or REGIONS["aws"])
    yield block("data", "google_project this", [("project_id", google.project)])
    yield blocks.services(plan.services)
    yield from _cluster(plan)
    if plan.role:
        yield from _role(plan, plan.role)
    yield from _to_role(plan)
    yield _pool(plan)
    yield _provider(plan)
    if google.gsa:
        yield blocks.google_account(google.gsa, "for AWS")
        yield blocks.impersonation(plan.member(_NUMBER), _AFTER_POOL)
    if google.grants:
        yield _grants(plan)
    if plan.annotate:
        yield block("output", "annotations", [("value", plan.annotations(_NUMBER))])
    else:
        yield block("output", "environment", [("value", plan.variables(_NUMBER))])


def _head(plan: Plan) -> str:
    outbound = plan.workload.platform == "aws-outbound"
    return blocks.head(
        "Lets a workload on AWS call Google Cloud.",
        "Use `terraform import` for existing resources, such as the pool, which roles share.",
        f"Then: {blocks.applied(plan.workload.namespace)}"
        if plan.workload.in_cluster
        else "Then run the workload with the role, and with the variables of the output.",
        aws="6.26" if outbound else "6.0",  # the first version with that setting
    )


def _cluster(plan: Plan) -> Iterator[str]:
    at = plan.workload
    if not at.in_cluster:
        return
    yield block("data", "aws_eks_cluster this", [("name", at.cluster)])
    if at.platform == "eks-irsa":
        name = Expression(f'trimprefix({_CLUSTER_ISSUER}, "https://")')
        yield "locals {\n  issuer = " + name + "\n}\n"
        provider = blocks.oidc_provider(_CLUSTER_ISSUER, IRSA_AUDIENCE)
        yield f"# AWS accepts tokens of the cluster.\n{provider}"


def _role(plan: Plan, role: AwsRole) -> Iterator[str]:
    policy = trust_policy(plan)
    if policy is None:
        yield "# The role exists, and is not changed.\n" + block(
            "data", "aws_iam_role workload", [("name", role.name)]
        )
        return
    irsa = plan.workload.platform == "eks-irsa"
    yield blocks.role(role, DESCRIPTION, policy, needs_provider=irsa)
    yield from blocks.permissions(role)


def _to_role(plan: Plan) -> Iterator[str]:
    """Yield the resources by which the workload gets its role, or tokens."""
    at = plan.workload
    name = Expression("aws_iam_role.workload.name")
    if at.platform == "ec2":
        yield block(
            "resource",
            "aws_iam_instance_profile workload",
            [("name", name), ("role", name)],
        )
    if at.platform == "eks":
        yield "# The cluster needs the add-on eks-pod-identity-agent, or EKS Auto Mode.\n" + block(
            "resource",
            "aws_eks_pod_identity_association workload",
            [
                ("cluster_name", at.cluster),
                ("namespace", at.namespace),
                ("service_account", at.ksa),
                ("role_arn", Expression("aws_iam_role.workload.arn")),
            ],
        )
    if at.platform == "aws-outbound":
        yield from _outbound(plan)


def _outbound(plan: Plan) -> Iterator[str]:
    yield (
        "# A setting of the whole account: destroying it affects all roles.\n"
        + block(
            "resource",
            "aws_iam_outbound_web_identity_federation this",
            [("lifecycle", Block([("prevent_destroy", True)]))],
        )
    )
    document = function("jsonencode", token_policy(plan, _NUMBER))
    yield block(
        "resource",
        "aws_iam_role_policy token",
        [
            ("name", TOKEN_POLICY),
            ("role", Expression("data.aws_iam_role.workload.name")),
            ("policy", document),
        ],
    )


def _pool(plan: Plan) -> str:
    pool = plan.google.pool
    return block(
        "resource",
        "google_iam_workload_identity_pool this",
        [
            ("workload_identity_pool_id", pool),
            ("display_name", pool),
            ("depends_on", [Expression("google_project_service.needed")]),
        ],
    )


def _provider(plan: Plan) -> str:
    pool = "google_iam_workload_identity_pool.this.workload_identity_pool_id"
    issuer = _CLUSTER_ISSUER if plan.workload.in_cluster else _OUTBOUND_ISSUER
    kind: tuple[str, Any] = ("oidc", Block([("issuer_uri", issuer)]))
    if plan.workload.is_signed:
        kind = ("aws", Block([("account_id", plan.workload.account)]))
    return "# Admits only this workload, and no other of the account or cluster.\n" + block(
        "resource",
        "google_iam_workload_identity_pool_provider this",
        [
            ("workload_identity_pool_id", Expression(pool)),
            ("workload_identity_pool_provider_id", plan.google.provider),
            ("description", plan.who),
            ("attribute_mapping", plan.mapping),
            ("attribute_condition", plan.condition),
            kind,
        ],
    )


def _grants(plan: Plan) -> str:
    member = Expression("google_service_account.workload.member")
    return block(
        "resource",
        "google_project_iam_member granted",
        [
            ("for_each", function("toset", [*plan.google.grants])),
            ("project", plan.google.project),
            ("role", Expression("each.value")),
            ("member", member if plan.google.gsa else plan.member(_NUMBER)),
            *([] if plan.google.gsa else [_AFTER_POOL]),
        ],
    )


_AFTER_POOL = ("depends_on", [Expression("google_iam_workload_identity_pool.this")])
