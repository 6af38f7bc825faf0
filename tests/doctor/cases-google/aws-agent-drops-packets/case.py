from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-agent"
SEEN = "gives no keys"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{workload.dropping()}/v1/credentials")
