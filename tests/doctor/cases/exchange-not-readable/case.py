from __future__ import annotations

from doctor.pod import ROLE, Pod

NAMED = "exchange/denied"
SAYS = "or there is no such role"


def told(pod: Pod) -> None:
    pod.cloud.add_role(ROLE, audience="somebody-else")
