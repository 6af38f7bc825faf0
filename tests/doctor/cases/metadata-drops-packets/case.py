from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/metadata-blocked"
SAYS = "network policy"
WAITS = True


def told(pod: Pod) -> None:
    pod.metadata_at(pod.dropping())
