from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/metadata-blocked"
SEEN = "network policy"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.metadata_at(pod.dropping())
