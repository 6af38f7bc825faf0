from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/role-arn"
SEEN = "assumed-role/etl/me"


def set_up(pod: Pod) -> None:
    pod.set(GCP_AWS_BRIDGE_ROLE_ARN="arn:aws:sts::123456789012:assumed-role/etl/me")
