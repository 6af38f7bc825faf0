from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-long-lived-keys"
SAYS = "do not end"


def told(at: Workload) -> None:
    at.keys()
