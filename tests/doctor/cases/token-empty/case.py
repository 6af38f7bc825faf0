from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/malformed"
SEEN = "empty"


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.empty(), times=None, path="identity")
