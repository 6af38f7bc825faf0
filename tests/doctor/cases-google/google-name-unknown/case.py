from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-dns"
SEEN = "does not resolve"


def set_up(workload: Workload) -> None:
    workload.google_at("https://sts.googleapis.invalid", workload.cloud.iam_credentials.url)
