from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-closed"
SEEN = "refuses connections"


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=f"https://{pod.closed()}")
