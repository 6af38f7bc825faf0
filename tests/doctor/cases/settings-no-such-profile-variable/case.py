from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/profile"
SEEN = "laptop"


def set_up(pod: Pod) -> None:
    pod.set(AWS_PROFILE="laptop")
