from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-tls"
SAYS = "REQUESTS_CA_BUNDLE"


def told(at: Workload) -> None:
    at.google_at("https://127.0.0.2", at.cloud.iam_credentials.url)
    at.set(REQUESTS_CA_BUNDLE="/nowhere/authority.pem")
