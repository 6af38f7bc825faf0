from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/not-google"
SEEN = "302"


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.redirect("http://127.0.0.1:1/login"), times=None)
