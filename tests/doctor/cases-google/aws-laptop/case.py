from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/aws-none"
SEEN = "not a platform of AWS"


def set_up(workload: Workload) -> None:
    workload.runs_on("sso")
    workload.unset("AWS_PROFILE")
