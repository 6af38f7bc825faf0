from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-proxy"
SEEN = "does not resolve"


def set_up(workload: Workload) -> None:
    workload.google_at("https://127.0.0.2", workload.cloud.iam_credentials.url)
    workload.set(HTTPS_PROXY="http://proxy.invalid:3128")
