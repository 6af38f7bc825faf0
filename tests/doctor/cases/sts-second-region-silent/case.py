from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/sts-silent"
SEEN = "STS in eu-west-1 carries on"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.two_regions().inject(Fault.hang(30), times=None)
