from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-file"
SEEN = "No such file"


def set_up(workload: Workload) -> None:
    workload.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    workload.set(GOOGLE_APPLICATION_CREDENTIALS="/nowhere/google.json")
