from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-tls"
SEEN = "AWS_CA_BUNDLE"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=pod.tls(), AWS_CA_BUNDLE="/nowhere/bundle.pem")
