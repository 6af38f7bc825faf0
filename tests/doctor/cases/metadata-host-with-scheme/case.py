from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/metadata-host"
SEEN = "http://metadata"


def set_up(pod: Pod) -> None:
    pod.set(GCE_METADATA_HOST="http://metadata.google.internal")
