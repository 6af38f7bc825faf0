from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-proxy"
SEEN = "407"


def set_up(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    proxy = pod.answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    pod.set(HTTPS_PROXY=f"http://etl:hunter2@{proxy}")
