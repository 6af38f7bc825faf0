from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-token"
SAYS = "directory"


def told(at: Workload) -> None:
    at.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(at.folder))
