from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/keys-first"
SEEN = "every SDK uses those keys"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=False)
    pod.set(AWS_ACCESS_KEY_ID="AKIAOLD", AWS_SECRET_ACCESS_KEY="hunter2")
