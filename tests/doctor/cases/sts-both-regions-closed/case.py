from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-closed"
SEEN = "refuses connections"


def set_up(pod: Pod) -> None:
    pod.two_regions(west=f"https://{pod.closed()}", central=f"https://{pod.closed()}")
