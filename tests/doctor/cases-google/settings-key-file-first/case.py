from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-key-file"
SEEN = "service_account"


def set_up(workload: Workload) -> None:
    path = workload.file("key.json", '{"type": "service_account"}')
    workload.set(GOOGLE_APPLICATION_CREDENTIALS=path)
