from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-tls"
SEEN = "certificate"


def set_up(workload: Workload) -> None:
    workload.google_at(workload.tls(), workload.cloud.iam_credentials.url)
