from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-file"
SEEN = "is not JSON"


def set_up(workload: Workload) -> None:
    workload.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    path = workload.file("google.json", '{"type": "external_acc')
    workload.set(GOOGLE_APPLICATION_CREDENTIALS=path)
