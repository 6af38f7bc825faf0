from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-proxy"
SAYS = "does not resolve"


def told(at: Workload) -> None:
    at.google_at("https://127.0.0.2", at.cloud.iam_credentials.url)
    at.set(HTTPS_PROXY="http://proxy.invalid:3128")
