from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-signed-out"
SEEN = "login of IAM Identity Center"


def set_up(workload: Workload) -> None:
    workload.runs_on("sso")
