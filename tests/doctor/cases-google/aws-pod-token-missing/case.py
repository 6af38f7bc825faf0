from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-token"
SEEN = "No such file"


def set_up(workload: Workload) -> None:
    workload.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/nowhere/token")
