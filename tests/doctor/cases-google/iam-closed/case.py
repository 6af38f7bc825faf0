from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-closed"
SEEN = "refused"


def set_up(workload: Workload) -> None:
    workload.google_at(workload.cloud.google_sts.url, f"http://{workload.closed()}")
