"""The Kubernetes side: the service account, and a Job that proves the whole chain."""

from __future__ import annotations

from gcp_aws_bridge.provision import job
from gcp_aws_bridge.provision.plan import REGIONS, Plan

__all__ = ["TOKEN_FILE", "manifests", "proof", "service_account"]

_FOLDER = "/var/run/secrets/aws"
TOKEN_FILE = f"{_FOLDER}/token"
_PROGRAM = "import gcp_aws_bridge as b; print(b.session({}).client('sts').get_caller_identity())"


def manifests(plan: Plan) -> str:
    """All of them, as one file."""
    return f"{service_account(plan)}---\n{proof(plan)}"


def service_account(plan: Plan) -> str:
    """The Kubernetes service account, linked to the Google one where there is one."""
    at = plan.workload
    linked = {"iam.gke.io/gcp-service-account": at.gsa} if at.gsa else {}
    why = "Pods with this account get ID tokens of this Google service account."
    return job.service_account(at.namespace, at.ksa, linked, why)


def proof(plan: Plan) -> str:
    """A Job whose log ends with what AWS says it is: the role. Its pod is a model for yours."""
    at = plan.workload
    projected = at.platform == "gke-issuer"
    source = f"token_source=b.TokenFile('{TOKEN_FILE}')" if projected else ""
    return job.job(
        (at.namespace, at.ksa),
        proves="It proves that a pod with this service account has the role",
        extra="boto3",
        program=f'-c "{_PROGRAM.format(source)}"',
        variables=plan.variables | {"AWS_DEFAULT_REGION": REGIONS[plan.role.partition]},
        projected=job.Projected("aws-token", _FOLDER, plan.role.audience) if projected else None,
    )
