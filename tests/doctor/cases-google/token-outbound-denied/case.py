from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/outbound-denied"
SEEN = "AccessDenied"


def set_up(workload: Workload) -> None:
    workload.outbound()
    fault = Fault.aws_error("AccessDenied", "not authorized to perform", 403)
    workload.cloud.sts.inject(fault, times=None, action="GetWebIdentityToken")
