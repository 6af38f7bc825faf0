from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-cut"
SAYS = "service mesh"
WAITS = True


def told(pod: Pod) -> None:
    pod.cloud.metadata.inject(Fault.reset(), times=None)
