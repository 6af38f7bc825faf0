from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-node-role"
SEEN = "the role of the node"


def set_up(workload: Workload) -> None:
    workload.has_no_role()
    node = "arn:aws:iam::123456789012:role/node"
    workload.cloud.add_role(node, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    workload.set(**workload.cloud.ec2_environ(node))
