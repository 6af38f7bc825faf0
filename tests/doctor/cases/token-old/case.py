from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/metadata-not-ready"
SAYS = "s of life left"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.stale_token(-60), times=None, path="identity")
