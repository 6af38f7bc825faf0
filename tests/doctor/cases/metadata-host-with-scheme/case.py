from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/metadata-host"
SAYS = "http://metadata"


def told(pod: Pod) -> None:
    pod.set(GCE_METADATA_HOST="http://metadata.google.internal")
