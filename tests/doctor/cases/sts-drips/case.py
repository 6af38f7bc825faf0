from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/sts-silent"
SEEN = "does not answer"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.drip(0.5), times=None)
