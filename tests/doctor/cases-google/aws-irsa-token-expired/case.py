from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/irsa-token"
SAYS = "ended"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    token = at.cloud.eks_token(iat=1_600_000_000, exp=1_600_003_600)
    at.set(AWS_WEB_IDENTITY_TOKEN_FILE=at.file("token", token))
