from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/metadata-not-ready"
SEEN = "429"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.status(429, "slow down"), times=None)
