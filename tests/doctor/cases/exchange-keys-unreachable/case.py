from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/unavailable"
SAYS = "IDPCommunicationError"


def told(pod: Pod) -> None:
    fault = Fault.aws_error("IDPCommunicationError", "timed out")
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
