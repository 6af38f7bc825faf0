from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-provider"
SEEN = "deleted"


def set_up(workload: Workload) -> None:
    workload.cloud.delete_google_pool(workload.provider)
