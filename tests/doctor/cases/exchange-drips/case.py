from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/timeout"
SAYS = "no whole answer"
WAITS = True


def told(pod: Pod) -> None:
    fault = Fault.drip(0.5)
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
