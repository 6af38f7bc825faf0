from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-long-lived-keys"
SEEN = "do not expire"


def set_up(workload: Workload) -> None:
    workload.keys()
