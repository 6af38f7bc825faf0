from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/injected-served"
SEEN = "answers with status"


def set_up(workload: Workload) -> None:
    workload.annotated(method="google-serve")
    workload.account()
