from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/sts-clock"
SEEN = "agrees with Google's"


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.date(900), times=None)
