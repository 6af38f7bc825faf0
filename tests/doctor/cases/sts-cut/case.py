from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/sts-cut"
SAYS = "hangs up"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.reset(), times=None)
