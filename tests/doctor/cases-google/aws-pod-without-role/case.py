from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-pod-without-role"
SAYS = "This pod has no role"


def told(at: Workload) -> None:
    at.has_no_role()
