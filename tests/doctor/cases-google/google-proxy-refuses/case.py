from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-proxy"
SAYS = "403"


def told(at: Workload) -> None:
    there = at.answering(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    at.google_at("https://127.0.0.2", at.cloud.iam_credentials.url)
    at.set(HTTPS_PROXY=f"http://{there}")
