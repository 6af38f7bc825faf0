from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-none"
SEEN = "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE is not set"


def set_up(workload: Workload) -> None:
    workload.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
