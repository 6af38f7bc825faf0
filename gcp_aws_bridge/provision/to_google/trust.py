"""Trust policy of the role, and its policy for tokens from AWS.

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

# Placeholder for the cluster's issuer, which AWS assigns.
UNKNOWN_ISSUER = "https://oidc.eks.invalid/id/UNKNOWN"
IRSA_AUDIENCE = "sts.amazonaws.com"
TOKEN_POLICY = "gcp-aws-bridge-token"  # the name of the inline policy


def trust_policy(plan: Plan, issuer: str = UNKNOWN_ISSUER) -> dict[str, Any] | None:
    """Return the trust policy of the role; None if `setup` does not own the role.

    Args:
        plan: The plan.
        issuer: Issuer of the cluster, an `https://` URL; for `eks-irsa`.
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
        # The service sets these tags; the pod cannot change them.
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
    """Return the policy that allows tokens from AWS for this provider only.

    Google accepts the provider's name with and without `https:`.
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
