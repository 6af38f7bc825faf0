from __future__ import annotations

from doctor.pod import ROLE, Pod

CAUSE = "exchange/denied"
SEEN = "or there is no such role"


def set_up(pod: Pod) -> None:
    pod.cloud.add_role(ROLE, audience="another")
