from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-token"
SAYS = "ExpiredToken"


def told(at: Workload) -> None:
    token = at.cloud.eks_token("pods.eks.amazonaws.com", iat=1_600_000_000, exp=1_600_003_600)
    at.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=at.file("token", token))
