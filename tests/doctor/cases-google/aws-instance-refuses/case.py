from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/instance-refuses"
SAYS = "HTTP 403"


def told(at: Workload) -> None:
    at.runs_on("ec2")
    at.cloud.imds.inject(Fault.status(403), times=None)
