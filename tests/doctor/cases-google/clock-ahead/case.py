from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/clock"
SEEN = "15 minutes ahead"


def set_up(workload: Workload) -> None:
    workload.clouds_are(-900)
