from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/region"
SEEN = "RegionDisabledException"


def set_up(pod: Pod) -> None:
    fault = Fault.aws_error("RegionDisabledException", "STS is not activated in this region", 403)
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
