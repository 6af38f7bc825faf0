from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-closed"
SAYS = "refuses connections"


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=f"https://{pod.closed()}")
