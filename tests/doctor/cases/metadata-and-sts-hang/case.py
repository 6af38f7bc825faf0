from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-blocked"
SEEN = "no answer within"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.hang(30), times=None)
    pod.cloud.sts.inject(Fault.hang(30), times=None)
