from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-long-lived-keys"
SEEN = "do not expire"


def set_up(workload: Workload) -> None:
    workload.keys()
    workload.aws_provider(attribute_mapping=None, attribute_condition=None)
    user = "arn:aws:iam::123456789012:user/dev"
    workload.account(workload.provider.principal_set("attribute.aws_role", user))
