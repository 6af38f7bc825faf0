from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-lifetime"
SAYS = "43200 s were requested"


def told(at: Workload) -> None:
    at.arguments += ["--lifetime-seconds", "43200"]
