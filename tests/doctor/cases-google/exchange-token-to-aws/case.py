from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-kind"
SEEN = "it is of AWS"


def set_up(workload: Workload) -> None:
    workload.token_file(workload.cloud.eks_token())
