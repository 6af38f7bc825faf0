from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-pod-without-role"
SEEN = "This pod has no role"


def set_up(workload: Workload) -> None:
    workload.has_no_role()
