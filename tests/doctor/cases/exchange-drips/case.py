from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/timeout"
SEEN = "no complete answer"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    fault = Fault.drip(0.5)
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
