from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/role-arn"
SAYS = "assumed-role/etl/me"


def told(pod: Pod) -> None:
    pod.set(GCP_AWS_BRIDGE_ROLE_ARN="arn:aws:sts::123456789012:assumed-role/etl/me")
