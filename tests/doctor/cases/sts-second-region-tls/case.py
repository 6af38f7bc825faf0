from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-tls"
SEEN = "STS in eu-west-1 carries on"


def set_up(pod: Pod) -> None:
    pod.two_regions(central=pod.tls())
