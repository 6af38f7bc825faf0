from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-one-address"
SEEN = "STS in eu-west-1, eu-central-1 has one address"


def set_up(pod: Pod) -> None:
    pod.two_regions()
    pod.set(AWS_ENDPOINT_URL_STS=pod.cloud.sts.url)
