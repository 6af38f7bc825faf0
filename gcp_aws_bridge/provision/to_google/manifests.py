"""Kubernetes manifests for EKS."""

from __future__ import annotations

from gcp_aws_bridge.provision import annotated, job
from gcp_aws_bridge.provision.to_google.plan import Plan

__all__ = ["manifests", "proof", "service_account"]
_PROVES = "Tests that Google Cloud admits a pod with this service account"
# The token is a secret, so the log has a sentence instead.
_ADMITTED = "gcloud auth print-access-token >/dev/null\necho Google Cloud issued an access token."
_GCLOUD = job.Client(
    "gcr.io/google.com/cloudsdktool/google-cloud-cli:528.0.0-slim", ("sh", "-ec", _ADMITTED)
)


def manifests(plan: Plan) -> str:
    """Return the manifests as one file; the project's number must be known."""
    number = plan.google.number
    return f"{service_account(plan, number)}---\n{proof(plan, number)}"


def service_account(plan: Plan, number: str) -> str:
    """Return the Kubernetes service account; for IRSA, annotated with its role."""
    at, role = plan.workload, plan.role
    irsa = {"eks.amazonaws.com/role-arn": role.arn} if at.platform == "eks-irsa" and role else {}
    why = "Pods with this account get tokens that AWS accepts for this role."
    groups = ((why, irsa), (annotated.WHY, plan.annotations(number)))
    return job.service_account(at.namespace, at.ksa, *groups)


def proof(plan: Plan, number: str) -> str:
    """Return a Job whose log ends with the identity in Google Cloud. Use its pod as a model."""
    at = plan.workload
    if plan.annotate:
        return job.job_of_client(
            (at.namespace, at.ksa),
            annotated.LABEL,
            proves=f"{_PROVES}, by its annotations",
            client=_GCLOUD,
        )
    token = job.Projected("google-token", "/var/run/secrets/google", plan.audience(number))
    return job.job(
        (at.namespace, at.ksa),
        proves=_PROVES,
        extra="google",
        program="-m gcp_aws_bridge doctor --google",
        variables=plan.variables(number) | {"AWS_REGION": at.region},
        projected=None if at.has_role else token,
    )
