from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/region"
SEEN = "STS in eu-west-1 decided this"


def set_up(pod: Pod) -> None:
    code, message = "RegionDisabledException", "STS is not activated in this region"
    fault = Fault.aws_error(code, message, 403)
    pod.two_regions()
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
