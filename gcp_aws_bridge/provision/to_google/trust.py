"""The AWS side of it: who may assume the role, and what it takes to ask AWS for a token.

Sources: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity", "Enable
or disable session tags" and "IAM roles for service accounts"; ECS developer guide, "Amazon ECS task
IAM role" (conditions against the confused deputy); EC2 user guide, "IAM roles for Amazon EC2";
Lambda developer guide, "Execution role"; IAM user guide, "Outbound identity federation".
"""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.policy import build
from gcp_aws_bridge.policy.building import policy_of
from gcp_aws_bridge.provision.to_google.plan import Plan

__all__ = ["IRSA_AUDIENCE", "TOKEN_POLICY", "UNKNOWN_ISSUER", "token_policy", "trust_policy"]

# In the place of the cluster's issuer, which AWS makes up.
UNKNOWN_ISSUER = "https://oidc.eks.invalid/id/UNKNOWN"
IRSA_AUDIENCE = "sts.amazonaws.com"
TOKEN_POLICY = "gcp-aws-bridge-token"  # the name of the inline policy


def trust_policy(plan: Plan, issuer: str = UNKNOWN_ISSUER) -> dict[str, Any] | None:
    """The role's; None where the role is somebody else's matter.

    Args:
        plan: Whose.
        issuer: Of the cluster, an `https://` URL; for `eks-irsa`.
    """
    at = plan.workload
    if at.platform == "eks-irsa":
        return build(
            audience=IRSA_AUDIENCE, issuer=issuer, subjects=[at.subject], account_id=at.account
        )
    if at.platform not in _SERVICES:
        return None
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{_SERVICES[at.platform]}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if at.platform == "eks":
        # Tags that the service gives, and the pod has no say in.
        statement["Action"] = ["sts:AssumeRole", "sts:TagSession"]
        tags = {
            "eks-cluster-arn": at.cluster_arn,
            "kubernetes-namespace": at.namespace,
            "kubernetes-service-account": at.ksa,
        }
        pinned = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
        statement["Condition"] = {"StringEquals": pinned}
    if at.platform == "ecs":
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": at.account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{at.region}:{at.account}:*"},
        }
    return policy_of(statement)


_SERVICES = {"eks": "pods.eks", "ec2": "ec2", "ecs": "ecs-tasks", "lambda": "lambda"}


def token_policy(plan: Plan, number: str) -> dict[str, Any]:
    """What lets the role ask AWS for tokens for this provider, and for nobody else.

    Google takes the provider's name with `https:` and without.
    """
    audience = plan.audience(number)
    return policy_of(
        {
            "Effect": "Allow",
            "Action": "sts:GetWebIdentityToken",
            "Resource": "*",
            "Condition": {
                "ForAllValues:StringEquals": {
                    "sts:IdentityTokenAudience": [audience, f"https:{audience}"]
                }
            },
        }
    )
