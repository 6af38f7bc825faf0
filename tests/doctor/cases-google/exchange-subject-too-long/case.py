from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-subject"
SAYS = "bytes: "


def told(at: Workload) -> None:
    role = "arn:aws:iam::123456789012:role/publisher-of-orders-in-production-eu-west-1"
    at.cloud.add_role(role, at.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
    at.cloud.pod_identity.associate("default", "etl", role)
    at.aws_provider(attribute_mapping=None, attribute_condition=None)
