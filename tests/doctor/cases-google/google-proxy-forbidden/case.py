from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-proxy"
SEEN = "403"


def set_up(workload: Workload) -> None:
    proxy = workload.answering(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    workload.google_at("https://127.0.0.2", workload.cloud.iam_credentials.url)
    workload.set(HTTPS_PROXY=f"http://{proxy}")
