from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-setting"
SEEN = "lifetime"


def set_up(workload: Workload) -> None:
    workload.arguments += ["--lifetime-seconds", "60"]
