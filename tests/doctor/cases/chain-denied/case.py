from __future__ import annotations

from doctor.pod import OTHER, Pod

CAUSE = "exchange/chained-role"
SEEN = "role/target"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER]
    pod.cloud.add_role(OTHER)
