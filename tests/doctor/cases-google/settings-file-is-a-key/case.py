from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-file"
SAYS = "external_account"


def told(at: Workload) -> None:
    at.unset("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE")
    path = at.file("key.json", '{"type": "service_account"}')
    at.set(GOOGLE_APPLICATION_CREDENTIALS=path)
