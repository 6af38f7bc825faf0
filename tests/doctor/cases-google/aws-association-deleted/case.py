from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-association"
SAYS = "no Pod Identity association"


def told(at: Workload) -> None:
    at.cloud.pod_identity.reset()
