"""The platforms of workloads on Google Cloud: one table of what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PLATFORMS", "Platform"]


@dataclass(frozen=True)
class Platform:
    """Platform of a workload.

    Attributes:
        fields: Fields of `Workload` that the platform needs.
        apis: Google APIs of the platform.
        rules: Keys of `names.RULES` for fields whose names this platform restricts further.
        resource: What runs as the Google service account; empty in clusters.
        describe: gcloud command that describes the resource; empty if it exists only while it runs.
        location_option: Option of the command for the location.
        account_path: Path of the service account in the description.
        roles: Roles in the project that the service account needs on this platform.
        roles_on_itself: Roles that the service account needs on itself.
    """

    fields: tuple[str, ...]
    apis: tuple[str, ...]
    rules: Mapping[str, str] = field(default_factory=dict)
    resource: str = ""
    describe: tuple[str, ...] = ()
    location_option: str = "--region"
    account_path: tuple[str | int, ...] = ()
    roles: tuple[str, ...] = ()
    roles_on_itself: tuple[str, ...] = ()


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
        resource="instance",
        describe=("compute", "instances", "describe"),
        location_option="--zone",
        account_path=("serviceAccounts", 0, "email"),
    ),
    "cloud-run": Platform(
        _ELSEWHERE,
        ("run",),
        rules=_IN_REGION,
        resource="service",
        describe=("run", "services", "describe"),
        account_path=("spec", "template", "spec", "serviceAccountName"),
    ),
    "cloud-run-job": Platform(
        _ELSEWHERE,
        ("run",),
        rules=_IN_REGION,
        resource="job",
        describe=("run", "jobs", "describe"),
        account_path=("spec", "template", "spec", "template", "spec", "serviceAccountName"),
    ),
    "cloud-functions": Platform(
        _ELSEWHERE,
        ("cloudfunctions", "run"),
        rules=_IN_REGION,
        resource="function",
        describe=("functions", "describe", "--gen2"),
        account_path=("serviceConfig", "serviceAccountEmail"),
    ),
    # Dataflow, "Security and permissions": the role of the worker service account.
    "dataflow": Platform(
        _WHILE_IT_RUNS,
        ("dataflow", "compute"),
        rules=_IN_REGION,
        resource="pipeline",
        roles=("roles/dataflow.worker",),
    ),
    # Dataproc, "Service accounts": the role of a custom VM service account.
    "dataproc": Platform(
        _ELSEWHERE,
        ("dataproc", "compute"),
        rules={**_IN_REGION, "service": "dataproc-cluster"},
        resource="cluster",
        describe=("dataproc", "clusters", "describe"),
        account_path=("config", "gceClusterConfig", "serviceAccount"),
        roles=("roles/dataproc.worker",),
    ),
    "vertex-ai": Platform(_WHILE_IT_RUNS, ("aiplatform",), rules=_IN_REGION, resource="custom job"),
    "workbench": Platform(
        _ELSEWHERE,
        ("notebooks", "compute"),
        rules={"location": "zone", "service": "instance"},
        resource="instance",
        describe=("workbench", "instances", "describe"),
        location_option="--location",
        account_path=("gceSetup", "serviceAccounts", 0, "email"),
    ),
    # Cloud Build, "Configure user-specified service accounts": the role for logs; and "Authorize
    # service-to-service access": the permission getOpenIdToken for ID tokens.
    "cloud-build": Platform(
        _ELSEWHERE,
        ("cloudbuild",),
        rules={"location": "build-location", "service": "trigger"},
        resource="trigger",
        describe=("builds", "triggers", "describe"),
        account_path=("serviceAccount",),
        roles=("roles/logging.logWriter",),
        roles_on_itself=("roles/iam.serviceAccountOpenIdTokenCreator",),
    ),
    # Cloud Composer, "Access control with IAM": the role of an environment's service account.
    "composer": Platform(
        _ELSEWHERE,
        ("composer",),
        rules={**_IN_REGION, "service": "environment"},
        resource="environment",
        describe=("composer", "environments", "describe"),
        location_option="--location",
        account_path=("config", "nodeConfig", "serviceAccount"),
        roles=("roles/composer.worker",),
    ),
}
