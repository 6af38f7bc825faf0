from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/duration"
SAYS = "GCP_AWS_BRIDGE_DURATION_SECONDS"


def told(pod: Pod) -> None:
    pod.set(GCP_AWS_BRIDGE_DURATION_SECONDS="1h")
