from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/sts-blocked"
SEEN = "firewall or network policy"
TIMES_OUT = True


def set_up(pod: Pod) -> None:
    pod.set(AWS_ENDPOINT_URL_STS=f"https://{pod.dropping()}")
