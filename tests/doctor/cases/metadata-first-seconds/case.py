from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/new-pod"
SAYS = "started 3 s ago"
WAITS = True


def told(pod: Pod) -> None:
    pod.started(3)
    pod.metadata_at(pod.closed())
