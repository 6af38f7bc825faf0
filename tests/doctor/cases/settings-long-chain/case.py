from __future__ import annotations

from doctor.pod import OTHER, Pod

CAUSE = "config/chain-duration"
SEEN = "7200"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER, "--duration-seconds", "7200"]
