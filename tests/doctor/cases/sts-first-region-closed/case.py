from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-closed"
SEEN = "STS in eu-central-1 carries on"


def set_up(pod: Pod) -> None:
    pod.two_regions(west=f"https://{pod.closed()}")
