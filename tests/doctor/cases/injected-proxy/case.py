from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-proxy"
SEEN = "NO_PROXY does not have 127.0.0.1"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=True)
    pod.set(HTTP_PROXY=f"http://{pod.closed()}")
