from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/malformed"
SAYS = "empty"


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.empty(), times=None, path="identity")
