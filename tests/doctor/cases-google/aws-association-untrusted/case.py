from __future__ import annotations

from doctor.workload import ROLE, Workload

CAUSE = "doctor/pod-identity-trust"
SEEN = "does not trust EKS"


def set_up(workload: Workload) -> None:
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
