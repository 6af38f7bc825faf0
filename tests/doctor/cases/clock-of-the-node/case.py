from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-clock"
SAYS = "agrees with AWS's"


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.date(-900), times=None)
