from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/instance-without-role"
SAYS = "no instance profile"


def told(at: Workload) -> None:
    at.runs_on("ec2")
    at.cloud.imds.role_arn = None
