from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/denied"
SEEN = "STS in eu-central-1: "


def set_up(pod: Pod) -> None:
    pod.two_regions().inject(
        Fault.aws_error("AccessDenied", "Not authorized", 403),
        times=None,
        action="AssumeRoleWithWebIdentity",
    )
