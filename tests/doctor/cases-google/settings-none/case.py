from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-none"
SAYS = "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE is not set"


def told(at: Workload) -> None:
    at.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
