from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/aws-timeout"
SEEN = "IAM Identity Center"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.runs_on("sso")
    workload.signs_in()
    workload.cloud.sso.inject(Fault.hang(30), times=None)
