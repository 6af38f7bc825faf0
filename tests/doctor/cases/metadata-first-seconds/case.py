from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/new-pod"
SEEN = "started 3 s ago"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.started(3)
    pod.metadata_at(pod.closed())
