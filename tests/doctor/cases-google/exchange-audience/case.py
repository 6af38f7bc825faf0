from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/subject-audience"
SAYS = "sts.amazonaws.com"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file(at.cloud.eks_token())
