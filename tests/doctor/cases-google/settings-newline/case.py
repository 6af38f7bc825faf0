from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-audience"
SAYS = "malformed"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=at.provider.audience + "\n")
