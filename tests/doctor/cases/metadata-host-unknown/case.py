from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/metadata-host"
SEEN = "does not resolve"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.set(GCE_METADATA_HOST="metadata.nowhere.invalid")
