from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-source"
SEEN = "none is named"


def set_up(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="token-file")
