from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/google-file"
SEEN = "not a JSON object"


def set_up(pod: Pod) -> None:
    pod.set(GOOGLE_APPLICATION_CREDENTIALS=pod.file("key.json", "ewogICJ0eXBl"))
