from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/metadata-host"
SAYS = "connection refused"
WAITS = True


def told(pod: Pod) -> None:
    pod.set(GCE_METADATA_HOST=pod.closed())
