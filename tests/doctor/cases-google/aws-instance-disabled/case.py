from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/instance-disabled"
SAYS = "AWS_EC2_METADATA_DISABLED"


def told(at: Workload) -> None:
    at.runs_on("ec2")
    at.set(AWS_EC2_METADATA_DISABLED="true")
