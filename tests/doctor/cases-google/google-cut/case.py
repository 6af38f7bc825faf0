from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-closed"
SAYS = "RemoteDisconnected"


def told(at: Workload) -> None:
    at.google_at(f"http://{at.answering(b'')}", at.cloud.iam_credentials.url)
