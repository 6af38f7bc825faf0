from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-kind"
SAYS = "it is of OIDC"


def told(at: Workload) -> None:
    at.oidc_provider()
