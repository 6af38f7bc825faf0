from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/sts-plain-http"
SAYS = "HTTPS only"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS="http://sts.internal:8080")
