from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-token"
SEEN = "directory"


def set_up(workload: Workload) -> None:
    workload.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(workload.folder))
