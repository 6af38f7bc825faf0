from __future__ import annotations

from doctor.workload import ACCOUNT, Workload

NAMED = "doctor/irsa-provider"
SAYS = "does not know who signs"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    del at.cloud._accounts._providers[ACCOUNT, at.cloud.eks_issuer_url]
