from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/other-principal"
SEEN = "user/moto"


def set_up(pod: Pod) -> None:
    message = (
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/moto"
        "</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    pod.cloud.sts.inject(Fault.body(message), times=None, action="GetCallerIdentity")
