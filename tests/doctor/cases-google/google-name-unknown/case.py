from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-dns"
SAYS = "does not resolve"


def told(at: Workload) -> None:
    at.google_at("https://sts.googleapis.invalid", at.cloud.iam_credentials.url)
