from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/sts-blocked"
SAYS = "firewall or network policy"
WAITS = True


def told(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=f"https://{pod.dropping()}")
