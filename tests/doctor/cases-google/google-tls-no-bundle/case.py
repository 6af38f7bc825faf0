from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-tls"
SEEN = "REQUESTS_CA_BUNDLE"


def set_up(workload: Workload) -> None:
    workload.google_at("https://127.0.0.2", workload.cloud.iam_credentials.url)
    workload.set(REQUESTS_CA_BUNDLE="/nowhere/authority.pem")
