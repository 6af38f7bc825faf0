from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-subject"
SEEN = "bytes: "


def set_up(workload: Workload) -> None:
    role = "arn:aws:iam::123456789012:role/publisher-of-orders-in-production-eu-west-1"
    workload.cloud.add_role(role, workload.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
    workload.cloud.pod_identity.associate("default", "etl", role)
    workload.aws_provider(attribute_mapping=None, attribute_condition=None)
