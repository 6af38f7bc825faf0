from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/clock"
SAYS = "60 minutes behind"


def told(at: Workload) -> None:
    at.clouds_are(3600)
