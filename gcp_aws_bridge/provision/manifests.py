"""Kubernetes manifests: the service account, and a Job that tests the set-up."""

from __future__ import annotations

from gcp_aws_bridge.provision import annotated, job
from gcp_aws_bridge.provision.plan import REGIONS, Plan

__all__ = ["TOKEN_FILE", "manifests", "proof", "service_account"]

_FOLDER = "/var/run/secrets/aws"
TOKEN_FILE = f"{_FOLDER}/token"
_PROGRAM = "import gcp_aws_bridge as b; print(b.session({}).client('sts').get_caller_identity())"
_PROVES = "Tests that a pod with this service account can assume the role"


def manifests(plan: Plan) -> str:
    """Return the manifests as one file."""
    return f"{service_account(plan)}---\n{proof(plan)}"


def service_account(plan: Plan) -> str:
    """Return the Kubernetes service account, linked to its Google service account if any."""
    at = plan.workload
    why = "Pods with this account get ID tokens of this Google service account."
    groups = ((why, plan.link), (annotated.WHY, plan.annotations))
    return job.service_account(at.namespace, at.ksa, *groups)


def proof(plan: Plan) -> str:
    """Return a Job whose log ends with the role, from GetCallerIdentity. Use its pod as a model."""
    at = plan.workload
    if plan.annotate:
        return job.job_of_client(
            (at.namespace, at.ksa),
            annotated.LABEL,
            proves=f"{_PROVES}, by its annotations",
            client=_aws_cli(plan),
        )
    projected = at.platform == "gke-issuer"
    source = f"token_source=b.TokenFile('{TOKEN_FILE}')" if projected else ""
    return job.job(
        (at.namespace, at.ksa),
        proves=_PROVES,
        extra="boto3",
        program=f'-c "{_PROGRAM.format(source)}"',
        variables=plan.variables | {"AWS_DEFAULT_REGION": REGIONS[plan.role.partition]},
        projected=job.Projected("aws-token", _FOLDER, plan.role.audience) if projected else None,
    )


def _aws_cli(plan: Plan) -> job.Client:
    """Return the AWS CLI, with a region if the annotations have none."""
    known = f"{annotated.PREFIX}/region" in plan.annotations
    region = () if known else (f"--region={REGIONS[plan.role.partition]}",)
    command = ("aws", "sts", "get-caller-identity", *region)
    return job.Client("public.ecr.aws/aws-cli/aws-cli:2.31.0", command)
