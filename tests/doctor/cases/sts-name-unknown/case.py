from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-dns"
SAYS = "does not resolve"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="https://sts.nowhere.invalid")
