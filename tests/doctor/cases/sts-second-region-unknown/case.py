from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-dns"
SEEN = "STS in eu-central-1: "


def set_up(pod: Pod) -> None:
    pod.two_regions(central="https://sts.nowhere.invalid")
