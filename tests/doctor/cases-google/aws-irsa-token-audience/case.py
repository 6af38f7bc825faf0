from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/irsa-token"
SEEN = "not for sts.amazonaws.com"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    workload.set(
        AWS_WEB_IDENTITY_TOKEN_FILE=workload.file("token", workload.cloud.eks_token("vault"))
    )
