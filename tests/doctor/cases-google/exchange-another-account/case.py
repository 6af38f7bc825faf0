from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-aws-account"
SAYS = "The keys are of account 123456789012"


def told(at: Workload) -> None:
    at.aws_provider(account="210987654321", attribute_condition=None)
