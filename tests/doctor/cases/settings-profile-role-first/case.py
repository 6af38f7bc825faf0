from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "doctor/profile-first"
SEEN = "role_arn and source_profile of the profile"


def set_up(pod: Pod) -> None:
    pod.aws_config(
        "[profile etl]\ncredential_process = python -m gcp_aws_bridge credential-process\n"
        f"role_arn = {ROLE}\nsource_profile = default\n"
    )
