from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/key-file-first"
SEEN = "GOOGLE_APPLICATION_CREDENTIALS is set"


def set_up(pod: Pod) -> None:
    pod.set(GOOGLE_APPLICATION_CREDENTIALS="/nowhere/key.json")
