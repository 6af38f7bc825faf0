from __future__ import annotations

from doctor.pod import OTHER, Pod

NAMED = "exchange/chained-role"
SAYS = "role/target"


def told(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER]
    pod.cloud.add_role(OTHER)
