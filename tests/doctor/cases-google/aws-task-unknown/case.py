from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/container-endpoint"
SEEN = "404"


def set_up(workload: Workload) -> None:
    workload.runs_on("ecs")
    workload.set(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{workload.cloud.pod_identity.url}/v2/credentials/x"
    )
