from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/unreachable"
SAYS = "Read timeout"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.hang(30), times=None, action="AssumeRoleWithWebIdentity")
