from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/instance-hop-limit"
SAYS = "one hop only"
WAITS = True


def told(at: Workload) -> None:
    at.runs_on("ec2")
    at.cloud.imds.inject(Fault.hang(30), times=None)
