from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "token/outbound-denied"
SAYS = "AccessDenied"


def told(at: Workload) -> None:
    at.outbound()
    fault = Fault.aws_error("AccessDenied", "not authorized to perform", 403)
    at.cloud.sts.inject(fault, times=None, action="GetWebIdentityToken")
