from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/profile"
SEEN = "nope"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--profile", "nope"]
