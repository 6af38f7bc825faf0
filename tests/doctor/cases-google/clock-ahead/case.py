from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/clock"
SAYS = "15 minutes ahead"


def told(at: Workload) -> None:
    at.clouds_are(-900)
