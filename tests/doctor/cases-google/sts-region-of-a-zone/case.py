from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/sts-client"
SEEN = "us east 1a"


def set_up(workload: Workload) -> None:
    workload.set(AWS_DEFAULT_REGION="us east 1a", AWS_REGION="us east 1a")
