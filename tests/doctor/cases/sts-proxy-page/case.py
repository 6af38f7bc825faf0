from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/garbage"
SAYS = "HTTP 403"


def told(pod: Pod) -> None:
    pod.cloud.sts.inject(Fault.html(403), times=None)
