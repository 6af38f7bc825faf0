from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-lifetime"
SEEN = "43200 s were requested"


def set_up(workload: Workload) -> None:
    workload.arguments += ["--lifetime-seconds", "43200"]
