from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-blocked"
SAYS = "no answer within"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.hang(30), times=None)
    pod.cloud.sts.inject(Fault.hang(30), times=None)
