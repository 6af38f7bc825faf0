from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-file"
SAYS = "No such file"


def told(at: Workload) -> None:
    at.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    at.set(GOOGLE_APPLICATION_CREDENTIALS="/nowhere/google.json")
