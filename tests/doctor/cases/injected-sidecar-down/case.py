from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-sidecar"
SEEN = "nothing listens on 127.0.0.1"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=True).stop_sidecar()
