from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/profile-first"
SEEN = "The endpoint of AWS_CONTAINER_CREDENTIALS_FULL_URI is not used"


def set_up(pod: Pod) -> None:
    pod.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9911/credentials")
    pod.aws_config("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = hunter2\n")
