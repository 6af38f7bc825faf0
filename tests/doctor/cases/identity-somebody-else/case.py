from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/somebody-else"
SAYS = "user/moto"


def told(pod: Pod) -> None:
    said = (
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/moto"
        "</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    pod.cloud.sts.inject(Fault.body(said), times=None, action="GetCallerIdentity")
