from __future__ import annotations

from doctor.workload import ROLE, Workload

CAUSE = "doctor/instance-role"
SEEN = "does not admit ec2.amazonaws.com"


def set_up(workload: Workload) -> None:
    workload.runs_on("ec2")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
