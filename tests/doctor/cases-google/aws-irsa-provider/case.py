from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/irsa-provider"
SAYS = "does not know who signs"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    at.set(AWS_ROLE_ARN="arn:aws:iam::210987654321:role/etl")
