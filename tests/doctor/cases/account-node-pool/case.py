from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/node-pool"
SEEN = "123456789012-compute@developer"


def set_up(pod: Pod) -> None:
    pod.nodes_account()
