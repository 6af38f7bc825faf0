from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-dns"
SAYS = "sts.eu-nowhere-9"


def told(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    pod.set(AWS_DEFAULT_REGION="eu-nowhere-9")
