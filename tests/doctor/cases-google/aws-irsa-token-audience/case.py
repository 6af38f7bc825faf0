from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/irsa-token"
SAYS = "not for sts.amazonaws.com"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    at.set(AWS_WEB_IDENTITY_TOKEN_FILE=at.file("token", at.cloud.eks_token("vault")))
