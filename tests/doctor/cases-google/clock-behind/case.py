from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/clock"
SEEN = "60 minutes behind"


def set_up(workload: Workload) -> None:
    workload.clouds_are(3600)
