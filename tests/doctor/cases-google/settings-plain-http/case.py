from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-plain-http"
SAYS = "HTTPS only"


def told(at: Workload) -> None:
    at.google_file(token_url="http://10.1.2.3/v1/token")
