from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/not-google"
SEEN = "a web page"


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.html(), times=None)
