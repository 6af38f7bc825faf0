from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/unreachable"
SEEN = "Read timeout"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.hang(30), times=None, action="AssumeRoleWithWebIdentity")
