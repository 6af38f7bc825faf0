from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/metadata-host"
SEEN = "connection refused"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.set(GCE_METADATA_HOST=pod.closed())
