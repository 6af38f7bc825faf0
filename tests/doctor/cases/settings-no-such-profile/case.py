from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/profile"
SAYS = "nope"


def told(pod: Pod) -> None:
    pod.arguments += ["--profile", "nope"]
