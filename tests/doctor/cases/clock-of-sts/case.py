from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/sts-clock"
SAYS = "agrees with Google's"


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.date(900), times=None)
