from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/container-endpoint"
SAYS = "404"


def told(at: Workload) -> None:
    at.runs_on("ecs")
    at.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{at.cloud.pod_identity.url}/v2/credentials/x")
