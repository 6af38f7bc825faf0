from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-cut"
SEEN = "service mesh"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.reset(), times=None)
