from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/metadata-closed"
SAYS = "gke-metadata-server is down"
WAITS = True


def told(pod: Pod) -> None:
    pod.metadata_at(pod.closed())
