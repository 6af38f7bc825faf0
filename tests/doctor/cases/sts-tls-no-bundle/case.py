from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-tls"
SAYS = "AWS_CA_BUNDLE"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=pod.tls(), AWS_CA_BUNDLE="/nowhere/bundle.pem")
