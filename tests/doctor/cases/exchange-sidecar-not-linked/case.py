from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-served"
SEEN = "answers with status"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=True)
    pod.cloud.unlink()
