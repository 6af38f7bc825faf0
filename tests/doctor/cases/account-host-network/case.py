from __future__ import annotations

from doctor.pod import Pod, own_name

NAMED = "doctor/host-network"
SAYS = "hostNetwork"


def told(pod: Pod) -> None:
    pod.nodes_account(own_name())
