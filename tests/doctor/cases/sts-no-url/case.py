from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/sts-client"
SEEN = "sts.internal"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="sts.internal")
