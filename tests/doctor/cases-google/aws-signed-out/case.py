from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-signed-out"
SAYS = "login of IAM Identity Center"


def told(at: Workload) -> None:
    at.runs_on("sso")
