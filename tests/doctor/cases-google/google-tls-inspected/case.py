from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-tls"
SAYS = "certificate"


def told(at: Workload) -> None:
    at.google_at(at.tls(), at.cloud.iam_credentials.url)
