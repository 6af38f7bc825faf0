from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/keys-first"
SAYS = "AWS_ACCESS_KEY_ID is set"


def told(pod: Pod) -> None:
    pod.set(AWS_ACCESS_KEY_ID="AKIAOLD", AWS_SECRET_ACCESS_KEY="hunter2")
