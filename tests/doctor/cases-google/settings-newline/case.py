from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-audience"
SEEN = "malformed"


def set_up(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=workload.provider.audience + "\n")
