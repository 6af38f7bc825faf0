from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-key-file"
SAYS = "service_account"


def told(at: Workload) -> None:
    path = at.file("key.json", '{"type": "service_account"}')
    at.set(GOOGLE_APPLICATION_CREDENTIALS=path)
