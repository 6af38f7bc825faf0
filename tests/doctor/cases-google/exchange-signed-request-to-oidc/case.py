from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-kind"
SEEN = "it is of OIDC"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
