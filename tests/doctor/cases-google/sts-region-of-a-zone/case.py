from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/sts-client"
SAYS = "us east 1a"


def told(at: Workload) -> None:
    at.set(AWS_DEFAULT_REGION="us east 1a", AWS_REGION="us east 1a")
