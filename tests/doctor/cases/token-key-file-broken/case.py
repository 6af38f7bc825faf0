from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/google-file"
SAYS = "not a JSON object"


def told(pod: Pod) -> None:
    pod.set(GOOGLE_APPLICATION_CREDENTIALS=pod.file("key.json", "ewogICJ0eXBl"))
