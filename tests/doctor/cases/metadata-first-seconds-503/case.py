from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/new-pod"
SAYS = "started 5 s ago"
WAITS = True


def told(pod: Pod) -> None:
    pod.started(5)
    pod.cloud.metadata.inject(Fault.status(503, "not ready"), times=None)
