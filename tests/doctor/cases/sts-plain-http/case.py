from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/sts-plain-http"
SEEN = "HTTPS only"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="http://sts.internal:8080")
