from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/not-injected"
SEEN = "has none of its variables"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=True).leave()
