from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "token/file-missing"
SEEN = "does not exist"


def set_up(pod: Pod) -> None:
    pod.unset("GCP_AWS_BRIDGE_ROLE_ARN")
    pod.set(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="/var/run/token")
