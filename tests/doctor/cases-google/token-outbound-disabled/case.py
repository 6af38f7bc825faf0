from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/outbound-disabled"
SEEN = "disabled"


def set_up(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="outbound")
