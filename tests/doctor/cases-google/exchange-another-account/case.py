from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-aws-account"
SAYS = (
    "keys are of account 123456789012, and AWS takes them. The provider is of account 210987654321"
)


def told(at: Workload) -> None:
    at.aws_provider(account="210987654321", attribute_condition=None)
