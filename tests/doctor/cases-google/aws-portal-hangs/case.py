from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/aws-timeout"
SAYS = "IAM Identity Center"
WAITS = True


def told(at: Workload) -> None:
    at.runs_on("sso")
    at.signs_in()
    at.laptop.sso.inject(Fault.hang(30), times=None)
