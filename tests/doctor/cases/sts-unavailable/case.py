from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/unavailable"
SAYS = "503"


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.status(503), times=None)
