from __future__ import annotations

from doctor.workload import ACCOUNT, Workload

CAUSE = "doctor/irsa-provider"
SEEN = "does not know the issuer"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    del workload.cloud._accounts._providers[ACCOUNT, workload.cloud.eks_issuer_url]
