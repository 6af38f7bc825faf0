from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "doctor/no-such-role"
SEEN = "no role etl"


def set_up(pod: Pod) -> None:
    pod.iam()
    pod.cloud.remove_role(ROLE)
