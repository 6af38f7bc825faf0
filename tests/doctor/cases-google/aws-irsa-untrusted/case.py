from __future__ import annotations

from doctor.workload import ROLE, Workload

NAMED = "doctor/irsa-trust"
SAYS = "does not admit"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    at.cloud.add_role(ROLE, at.cloud.trust_policy_for_irsa(namespace="staging"))
