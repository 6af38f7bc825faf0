from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/subject-timeout"
SAYS = "gave nothing"
WAITS = True


def told(at: Workload) -> None:
    at.outbound()
    at.cloud.sts.inject(Fault.hang(30), times=None, action="GetWebIdentityToken")
