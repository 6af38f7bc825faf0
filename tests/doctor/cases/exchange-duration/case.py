from __future__ import annotations

from doctor.pod import Pod

CAUSE = "exchange/duration"
SEEN = "7200"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--duration-seconds", "7200"]
