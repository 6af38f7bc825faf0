from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/aws-none"
SAYS = "no cloud of AWS's"


def told(at: Workload) -> None:
    at.runs_on("sso")
    at.unset("AWS_PROFILE")
