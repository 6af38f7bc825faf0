from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/metadata-not-ready"
SAYS = "503"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.status(503, "busy"), times=None)
