from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/session-name"
SEEN = "jobs/etl"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ROLE_SESSION_NAME="jobs/etl")
