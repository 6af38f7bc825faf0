from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-kind"
SAYS = "it is of AWS"


def told(at: Workload) -> None:
    at.token_file(at.cloud.eks_token())
