from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-proxy"
SAYS = "leads through the proxy"


def told(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    pod.set(HTTPS_PROXY=f"http://{pod.closed()}")
