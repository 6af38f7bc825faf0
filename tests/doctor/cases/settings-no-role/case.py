from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/no-role"
SEEN = "No role is configured"


def set_up(pod: Pod) -> None:
    pod.unset("GCP_AWS_BRIDGE_ROLE_ARN")
