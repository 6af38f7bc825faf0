from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-provider"
SEEN = "disabled"


def set_up(workload: Workload) -> None:
    workload.provider.disabled = True
