from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-proxy"
SAYS = "proxy.nowhere.invalid"


def told(pod: Pod) -> None:
    pod.unset("AWS_ENDPOINT_URL_STS")
    pod.set(HTTPS_PROXY="http://proxy.nowhere.invalid:3128")
