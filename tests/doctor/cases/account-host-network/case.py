from __future__ import annotations

from doctor.pod import Pod, own_name

CAUSE = "doctor/host-network"
SEEN = "hostNetwork"


def set_up(pod: Pod) -> None:
    pod.nodes_account(own_name())
