from __future__ import annotations

from doctor.pod import ROLE, Pod

NAMED = "doctor/no-such-role"
SAYS = "no role etl"


def told(pod: Pod) -> None:
    pod.iam()
    pod.cloud.remove_role(ROLE)
