from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-blocked"
SAYS = "get no answer"
WAITS = True


def told(at: Workload) -> None:
    at.google_at(at.cloud.google_sts.url, f"http://{at.dropping()}")
