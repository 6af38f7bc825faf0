from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-plain-http"
SEEN = "HTTPS only"


def set_up(workload: Workload) -> None:
    workload.google_file(token_url="http://10.1.2.3/v1/token")
