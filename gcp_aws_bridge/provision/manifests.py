"""Kubernetes manifests: the service account, and a Job that tests the set-up."""

from __future__ import annotations

from gcp_aws_bridge.provision import job
from gcp_aws_bridge.provision.plan import REGIONS, Plan

__all__ = ["TOKEN_FILE", "manifests", "proof", "service_account"]

_FOLDER = "/var/run/secrets/aws"
TOKEN_FILE = f"{_FOLDER}/token"
_PROGRAM = "import gcp_aws_bridge as b; print(b.session({}).client('sts').get_caller_identity())"


def manifests(plan: Plan) -> str:
    """Return the manifests as one file."""
    return f"{service_account(plan)}---\n{proof(plan)}"


def service_account(plan: Plan) -> str:
    """Return the Kubernetes service account, linked to its Google service account if any."""
    at = plan.workload
    linked = {"iam.gke.io/gcp-service-account": at.gsa} if at.gsa else {}
    why = "Pods with this account get ID tokens of this Google service account."
    return job.service_account(at.namespace, at.ksa, linked, why)


def proof(plan: Plan) -> str:
    """Return a Job whose log ends with the role, from GetCallerIdentity. Use its pod as a model."""
    at = plan.workload
    projected = at.platform == "gke-issuer"
    source = f"token_source=b.TokenFile('{TOKEN_FILE}')" if projected else ""
    return job.job(
        (at.namespace, at.ksa),
        proves="Tests that a pod with this service account can assume the role",
        extra="boto3",
        program=f'-c "{_PROGRAM.format(source)}"',
        variables=plan.variables | {"AWS_DEFAULT_REGION": REGIONS[plan.role.partition]},
        projected=job.Projected("aws-token", _FOLDER, plan.role.audience) if projected else None,
    )
