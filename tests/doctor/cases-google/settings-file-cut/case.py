from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-file"
SAYS = "is not JSON"


def told(at: Workload) -> None:
    at.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    path = at.file("google.json", '{"type": "external_acc')
    at.set(GOOGLE_APPLICATION_CREDENTIALS=path)
