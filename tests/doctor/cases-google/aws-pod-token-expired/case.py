from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-token"
SEEN = "ExpiredToken"


def set_up(workload: Workload) -> None:
    token = workload.cloud.eks_token("pods.eks.amazonaws.com", iat=1_600_000_000, exp=1_600_003_600)
    workload.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=workload.file("token", token))
