from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/instance-disabled"
SEEN = "AWS_EC2_METADATA_DISABLED"


def set_up(workload: Workload) -> None:
    workload.runs_on("ec2")
    workload.set(AWS_EC2_METADATA_DISABLED="true")
