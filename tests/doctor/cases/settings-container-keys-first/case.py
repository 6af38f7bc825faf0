from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/profile-first"
SAYS = "The endpoint of AWS_CONTAINER_CREDENTIALS_FULL_URI is not asked"


def told(pod: Pod) -> None:
    pod.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9911/credentials")
    pod.aws_config("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = hunter2\n")
