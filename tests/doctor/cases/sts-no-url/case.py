from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/sts-client"
SAYS = "sts.internal"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="sts.internal")
