from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/subject-timeout"
SEEN = "returned nothing"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.outbound()
    workload.cloud.sts.inject(Fault.hang(30), times=None, action="GetWebIdentityToken")
