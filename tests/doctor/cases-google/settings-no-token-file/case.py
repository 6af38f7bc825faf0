from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-source"
SAYS = "none is set"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="token-file")
