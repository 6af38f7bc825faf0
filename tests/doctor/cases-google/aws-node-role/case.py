from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-node-role"
SAYS = "the role of the node"


def told(at: Workload) -> None:
    at.has_no_role()
    node = "arn:aws:iam::123456789012:role/node"
    at.cloud.add_role(node, at.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    at.set(**at.cloud.ec2_environ(node))
