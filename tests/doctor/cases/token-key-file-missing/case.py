from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/key-file-first"
SAYS = "GOOGLE_APPLICATION_CREDENTIALS is set"


def told(pod: Pod) -> None:
    pod.set(GOOGLE_APPLICATION_CREDENTIALS="/nowhere/key.json")
