from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-setting"
SAYS = "lifetime"


def told(at: Workload) -> None:
    at.arguments += ["--lifetime-seconds", "60"]
