from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "token/metadata-not-ready"
SAYS = "429"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.status(429, "slow down"), times=None)
