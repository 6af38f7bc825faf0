from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/not-google"
SAYS = "302"


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.redirect("http://127.0.0.1:1/login"), times=None)
