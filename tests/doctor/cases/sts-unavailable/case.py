from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/unavailable"
SEEN = "503"


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.status(503), times=None)
