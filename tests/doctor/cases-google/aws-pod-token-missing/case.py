from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-token"
SAYS = "No such file"


def told(at: Workload) -> None:
    at.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/nowhere/token")
