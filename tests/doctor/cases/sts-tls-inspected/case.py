from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-tls"
SEEN = "certificate"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=pod.tls())
