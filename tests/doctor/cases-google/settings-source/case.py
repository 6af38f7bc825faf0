from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-source"
SAYS = "is no source"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="aws")
