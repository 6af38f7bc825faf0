from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/no-role"
SAYS = "No role is configured"


def told(pod: Pod) -> None:
    pod.unset("GCP_AWS_BRIDGE_ROLE_ARN")
