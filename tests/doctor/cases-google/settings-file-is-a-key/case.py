from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-file"
SEEN = "external_account"


def set_up(workload: Workload) -> None:
    workload.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    path = workload.file("key.json", '{"type": "service_account"}')
    workload.set(GOOGLE_APPLICATION_CREDENTIALS=path)
