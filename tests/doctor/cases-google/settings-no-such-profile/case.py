from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/profile"
SEEN = "elsewhere"


def set_up(workload: Workload) -> None:
    workload.set(AWS_PROFILE="elsewhere")
