from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-closed"
SAYS = "refused"


def told(at: Workload) -> None:
    at.google_at(f"http://{at.closed()}", at.cloud.iam_credentials.url)
