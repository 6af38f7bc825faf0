from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/profile-first"
SEEN = "sso_account_id and sso_role_name of the profile"


def set_up(pod: Pod) -> None:
    pod.aws_config(
        "[profile etl]\ncredential_process = /opt/venv/bin/gcp-aws-bridge credential-process\n"
        "sso_session = company\nsso_account_id = 123456789012\nsso_role_name = etl\n"
    )
