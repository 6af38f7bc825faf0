from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-provider"
SAYS = "deleted"


def told(at: Workload) -> None:
    at.cloud.delete_google_pool(at.provider)
