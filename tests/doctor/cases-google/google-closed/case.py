from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-closed"
SEEN = "refused"


def set_up(workload: Workload) -> None:
    workload.google_at(f"http://{workload.closed()}", workload.cloud.iam_credentials.url)
