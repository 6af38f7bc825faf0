from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/instance-refuses"
SEEN = "HTTP 403"


def set_up(workload: Workload) -> None:
    workload.runs_on("ec2")
    workload.cloud.imds.inject(Fault.status(403), times=None)
