from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-dns"
SEEN = "sts.eu-nowhere-9"


def set_up(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    pod.set(AWS_DEFAULT_REGION="eu-nowhere-9")
