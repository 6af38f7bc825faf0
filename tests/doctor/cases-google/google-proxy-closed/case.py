from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-proxy"
SEEN = "go through the proxy"


def set_up(workload: Workload) -> None:
    workload.google_at("https://127.0.0.2", workload.cloud.iam_credentials.url)
    workload.set(HTTPS_PROXY=f"http://{workload.closed()}")
