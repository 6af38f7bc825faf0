from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-long-lived-keys"
SAYS = "do not end"


def told(at: Workload) -> None:
    at.keys()
    at.aws_provider(attribute_mapping=None, attribute_condition=None)
    user = "arn:aws:iam::123456789012:user/dev"
    at.account(at.provider.principal_set("attribute.aws_role", user))
