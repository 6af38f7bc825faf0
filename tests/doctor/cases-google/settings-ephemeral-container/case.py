from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/not-injected"
SEEN = "has none of its variables"


def set_up(workload: Workload) -> None:
    workload.annotated(method="google-serve").leave()
