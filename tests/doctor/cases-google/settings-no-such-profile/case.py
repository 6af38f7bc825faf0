from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/profile"
SAYS = "elsewhere"


def told(at: Workload) -> None:
    at.set(AWS_PROFILE="elsewhere")
