from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-proxy"
SAYS = "407"


def told(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    there = pod.answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    pod.set(HTTPS_PROXY=f"http://etl:hunter2@{there}")
