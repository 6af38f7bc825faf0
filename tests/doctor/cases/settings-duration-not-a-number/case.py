from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/duration"
SEEN = "GCP_AWS_BRIDGE_DURATION_SECONDS"


def set_up(pod: Pod) -> None:
    pod.set(GCP_AWS_BRIDGE_DURATION_SECONDS="1h")
