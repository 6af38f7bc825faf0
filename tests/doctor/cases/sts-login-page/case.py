from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/garbage"
SEEN = "HTTP 200"


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.html(), times=None)
