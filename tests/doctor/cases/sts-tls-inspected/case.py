from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-tls"
SAYS = "certificate"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=pod.tls())
