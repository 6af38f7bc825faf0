from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/new-pod"
SEEN = "started 5 s ago"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.started(5)
    pod.cloud.metadata.inject(Fault.status(503, "not ready"), times=None)
