from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/pod-identity-association"
SEEN = "no longer has a Pod Identity association"


def set_up(workload: Workload) -> None:
    workload.cloud.pod_identity.reset()
