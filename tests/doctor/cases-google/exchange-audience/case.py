from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/subject-audience"
SEEN = "sts.amazonaws.com"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file(workload.cloud.eks_token())
