from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/instance-without-role"
SEEN = "no instance profile"


def set_up(workload: Workload) -> None:
    workload.runs_on("ec2")
    workload.cloud.imds.role_arn = None
