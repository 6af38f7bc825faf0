from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-provider"
SEEN = "never existed"


def set_up(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=workload.provider.audience + "x")
