"""Kubernetes manifests for EKS."""

from __future__ import annotations

from gcp_aws_bridge.provision import job
from gcp_aws_bridge.provision.to_google.plan import Plan

__all__ = ["manifests", "proof", "service_account"]


def manifests(plan: Plan) -> str:
    """Return the manifests as one file; the project's number must be known."""
    return f"{service_account(plan)}---\n{proof(plan, plan.google.number)}"


def service_account(plan: Plan) -> str:
    """Return the Kubernetes service account; for IRSA, annotated with its role."""
    at, role = plan.workload, plan.role
    names_role = at.platform == "eks-irsa" and role is not None
    return job.service_account(
        at.namespace,
        at.ksa,
        {"eks.amazonaws.com/role-arn": role.arn} if names_role and role else {},
        "Pods with this account get tokens that AWS accepts for this role.",
    )


def proof(plan: Plan, number: str) -> str:
    """Return a Job whose log ends with the identity in Google Cloud. Use its pod as a model."""
    at = plan.workload
    token = job.Projected("google-token", "/var/run/secrets/google", plan.audience(number))
    return job.job(
        (at.namespace, at.ksa),
        proves="Tests that Google Cloud admits a pod with this service account",
        extra="google",
        program="-m gcp_aws_bridge doctor --google",
        variables=plan.variables(number) | {"AWS_REGION": at.region},
        projected=None if at.has_role else token,
    )
