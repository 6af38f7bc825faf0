from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/irsa-token"
SEEN = "does not exist"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    workload.set(AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere/token")
