from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/unavailable"
SEEN = "IDPCommunicationError"


def set_up(pod: Pod) -> None:
    fault = Fault.aws_error("IDPCommunicationError", "timed out")
    pod.cloud.sts.inject(fault, times=None, action="AssumeRoleWithWebIdentity")
