from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-condition"
SAYS = "assumed-role/etl/"


def told(at: Workload) -> None:
    at.aws_provider(
        attribute_condition="assertion.arn.startsWith('arn:aws:sts::123456789012:assumed-role/jobs/etl/')"
    )
