from __future__ import annotations

from doctor.workload import ROLE, Workload

NAMED = "doctor/instance-role"
SAYS = "does not admit ec2.amazonaws.com"


def told(at: Workload) -> None:
    at.runs_on("ec2")
    at.cloud.add_role(ROLE, at.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
