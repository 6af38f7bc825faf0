from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/profile-first"
SEEN = "is not used: SDKs use the keys"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=True)
    pod.aws_config("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = hunter2\n")
