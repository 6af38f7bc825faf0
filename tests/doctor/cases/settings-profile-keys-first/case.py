from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "doctor/profile-first"
SEEN = 'the keys of the profile "etl" in'


def set_up(pod: Pod) -> None:
    pod.aws_config(
        "[profile etl]\ncredential_process = gcp-aws-bridge credential-process\n"
        f"gcp_role_arn = {ROLE}\n"
    )
    keys = "[etl]\naws_access_key_id = AKIAOLD\naws_secret_access_key = hunter2\n"
    pod.set(AWS_SHARED_CREDENTIALS_FILE=pod.file("credentials", keys))
