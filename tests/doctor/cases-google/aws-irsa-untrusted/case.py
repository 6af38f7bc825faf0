from __future__ import annotations

from doctor.workload import ROLE, Workload

CAUSE = "doctor/irsa-trust"
SEEN = "does not admit"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_irsa(namespace="staging"))
