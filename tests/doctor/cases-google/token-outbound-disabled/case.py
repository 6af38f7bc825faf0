from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/outbound-disabled"
SAYS = "disabled"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="outbound")
