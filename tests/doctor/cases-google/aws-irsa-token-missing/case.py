from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/irsa-token"
SAYS = "does not exist"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    at.set(AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere/token")
