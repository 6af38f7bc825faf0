from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/node-pool"
SAYS = "123456789012-compute@developer"


def told(pod: Pod) -> None:
    pod.nodes_account()
