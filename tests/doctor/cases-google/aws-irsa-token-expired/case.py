from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/irsa-token"
SEEN = "expired at"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    token = workload.cloud.eks_token(iat=1_600_000_000, exp=1_600_003_600)
    workload.set(AWS_WEB_IDENTITY_TOKEN_FILE=workload.file("token", token))
