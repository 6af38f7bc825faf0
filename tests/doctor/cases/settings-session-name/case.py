from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/session-name"
SAYS = "jobs/etl"


def told(pod: Pod) -> None:
    pod.set(AWS_ROLE_SESSION_NAME="jobs/etl")
