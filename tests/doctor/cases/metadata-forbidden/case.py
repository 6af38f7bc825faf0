from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "token/metadata-refused"
SEEN = "Forbidden"


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.status(403, "Forbidden"), times=None)
