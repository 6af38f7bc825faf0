from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-token"
SAYS = "does not take the token"


def told(at: Workload) -> None:
    path = at.file("token", at.cloud.eks_token())
    at.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path)
