from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/garbage"
SEEN = "HTTP 403"


def set_up(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.html(403), times=None)
