from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-token"
SEEN = "rejects the token"


def set_up(workload: Workload) -> None:
    path = workload.file("token", workload.cloud.eks_token())
    workload.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path)
