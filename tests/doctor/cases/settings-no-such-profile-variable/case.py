from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/profile"
SAYS = "laptop"


def told(pod: Pod) -> None:
    pod.set(AWS_PROFILE="laptop")
