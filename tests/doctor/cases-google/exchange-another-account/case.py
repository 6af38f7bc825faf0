from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-aws-account"
SEEN = "of account 123456789012, and AWS accepts them. The provider is of account 210987654321"


def set_up(workload: Workload) -> None:
    workload.aws_provider(account="210987654321", attribute_condition=None)
