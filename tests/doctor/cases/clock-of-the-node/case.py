from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-clock"
SEEN = "agrees with AWS's"


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.date(-900), times=None)
