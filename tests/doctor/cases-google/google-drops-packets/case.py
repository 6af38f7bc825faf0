from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-blocked"
SEEN = "get no answer"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.google_at(f"http://{workload.dropping()}", workload.cloud.iam_credentials.url)
