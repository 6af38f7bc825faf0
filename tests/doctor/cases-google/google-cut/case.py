from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-closed"
SEEN = "RemoteDisconnected"


def set_up(workload: Workload) -> None:
    workload.google_at(f"http://{workload.answering(b'')}", workload.cloud.iam_credentials.url)
