from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/not-google"
SAYS = "a web page"


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.html(), times=None)
