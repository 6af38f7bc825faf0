"""The platforms of workloads on Google Cloud: one table of what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PLATFORMS", "Platform"]


@dataclass(frozen=True)
class Platform:
    """Platform of a workload.

    Attributes:
        fields: Fields of `Workload` that it needs.
        apis: Its Google APIs.
        rules: Keys of `names.RULES` for fields whose names have rules of their own.
        thing: What runs as the Google service account, outside of clusters.
        describe: Command of gcloud that describes it; empty if it exists only while it runs.
        where: Option of that command for the location.
        account: Path of the account in the printed description.
        roles: Roles in the project that the account needs for the platform itself.
        own_roles: Roles that the account needs on itself.
    """

    fields: tuple[str, ...]
    apis: tuple[str, ...]
    rules: Mapping[str, str] = field(default_factory=dict)
    thing: str = ""
    describe: tuple[str, ...] = ()
    where: str = "--region"
    account: tuple[str | int, ...] = ()
    roles: tuple[str, ...] = ()
    own_roles: tuple[str, ...] = ()


_IN_CLUSTER = ("project", "cluster", "location", "namespace", "ksa")
_ELSEWHERE = ("project", "location", "service", "gsa")
_WHILE_IT_RUNS = ("project", "location", "gsa")
_IN_REGION = {"location": "google-region"}

PLATFORMS = {
    "gke": Platform((*_IN_CLUSTER, "gsa"), ("container",)),
    "gke-issuer": Platform(_IN_CLUSTER, ("container",)),
    "compute-engine": Platform(
        _ELSEWHERE,
        ("compute",),
        rules={"location": "zone", "service": "instance"},
        thing="instance",
        describe=("compute", "instances", "describe"),
        where="--zone",
        account=("serviceAccounts", 0, "email"),
    ),
    "cloud-run": Platform(
        _ELSEWHERE,
        ("run",),
        rules=_IN_REGION,
        thing="service",
        describe=("run", "services", "describe"),
        account=("spec", "template", "spec", "serviceAccountName"),
    ),
    "cloud-run-job": Platform(
        _ELSEWHERE,
        ("run",),
        rules=_IN_REGION,
        thing="job",
        describe=("run", "jobs", "describe"),
        account=("spec", "template", "spec", "template", "spec", "serviceAccountName"),
    ),
    "cloud-functions": Platform(
        _ELSEWHERE,
        ("cloudfunctions", "run"),
        rules=_IN_REGION,
        thing="function",
        describe=("functions", "describe", "--gen2"),
        account=("serviceConfig", "serviceAccountEmail"),
    ),
    # Dataflow, "Security and permissions": the role of the worker service account.
    "dataflow": Platform(
        _WHILE_IT_RUNS,
        ("dataflow", "compute"),
        rules=_IN_REGION,
        thing="pipeline",
        roles=("roles/dataflow.worker",),
    ),
    # Dataproc, "Service accounts": the role of a custom VM service account.
    "dataproc": Platform(
        _ELSEWHERE,
        ("dataproc", "compute"),
        rules={**_IN_REGION, "service": "dataproc-cluster"},
        thing="cluster",
        describe=("dataproc", "clusters", "describe"),
        account=("config", "gceClusterConfig", "serviceAccount"),
        roles=("roles/dataproc.worker",),
    ),
    "vertex-ai": Platform(_WHILE_IT_RUNS, ("aiplatform",), rules=_IN_REGION, thing="custom job"),
    "workbench": Platform(
        _ELSEWHERE,
        ("notebooks", "compute"),
        rules={"location": "zone", "service": "instance"},
        thing="instance",
        describe=("workbench", "instances", "describe"),
        where="--location",
        account=("gceSetup", "serviceAccounts", 0, "email"),
    ),
    # Cloud Build, "Configure user-specified service accounts": the role for logs; and "Authorize
    # service-to-service access": the permission getOpenIdToken for ID tokens.
    "cloud-build": Platform(
        _ELSEWHERE,
        ("cloudbuild",),
        rules={"location": "build-location", "service": "trigger"},
        thing="trigger",
        describe=("builds", "triggers", "describe"),
        account=("serviceAccount",),
        roles=("roles/logging.logWriter",),
        own_roles=("roles/iam.serviceAccountOpenIdTokenCreator",),
    ),
    # Cloud Composer, "Access control with IAM": the role of an environment's service account.
    "composer": Platform(
        _ELSEWHERE,
        ("composer",),
        rules={**_IN_REGION, "service": "environment"},
        thing="environment",
        describe=("composer", "environments", "describe"),
        where="--location",
        account=("config", "nodeConfig", "serviceAccount"),
        roles=("roles/composer.worker",),
    ),
}
