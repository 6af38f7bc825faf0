from __future__ import annotations

from doctor.pod import Pod

NAMED = "exchange/duration"
SAYS = "7200"


def told(pod: Pod) -> None:
    pod.arguments += ["--duration-seconds", "7200"]
