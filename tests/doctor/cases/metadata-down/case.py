from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/metadata-closed"
SEEN = "gke-metadata-server is down"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.metadata_at(pod.closed())
