from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/metadata-not-ready"
SEEN = "s of life left"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.stale_token(-60), times=None, path="identity")
