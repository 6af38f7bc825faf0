from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-proxy"
SEEN = "go through the proxy"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    pod.set(HTTPS_PROXY=f"http://{pod.dropping()}")
