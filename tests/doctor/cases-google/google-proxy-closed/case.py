from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-proxy"
SAYS = "leads through the proxy"


def told(at: Workload) -> None:
    at.google_at("https://127.0.0.2", at.cloud.iam_credentials.url)
    at.set(HTTPS_PROXY=f"http://{at.closed()}")
