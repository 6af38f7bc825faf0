from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/sts-silent"
SAYS = "says nothing"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.drip(0.5), times=None)
