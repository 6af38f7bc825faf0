from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/instance-hop-limit"
SEEN = "hop limit is 1"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.runs_on("ec2")
    workload.cloud.imds.inject(Fault.hang(30), times=None)
