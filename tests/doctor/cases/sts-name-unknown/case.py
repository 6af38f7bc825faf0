from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-dns"
SEEN = "does not resolve"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="https://sts.nowhere.invalid")
