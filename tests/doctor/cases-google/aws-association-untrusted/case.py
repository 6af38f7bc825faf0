from __future__ import annotations

from doctor.workload import ROLE, Workload

NAMED = "doctor/pod-identity-trust"
SAYS = "does not trust EKS"


def told(at: Workload) -> None:
    at.cloud.add_role(ROLE, at.cloud.trust_policy_for_service("ec2.amazonaws.com"))
