from __future__ import annotations

from doctor.pod import OTHER, Pod

NAMED = "config/chain-duration"
SAYS = "7200"


def told(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER, "--duration-seconds", "7200"]
