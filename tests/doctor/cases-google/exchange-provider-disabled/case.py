from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-provider"
SAYS = "disabled"


def told(at: Workload) -> None:
    at.provider.disabled = True
