from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-condition"
SEEN = "assumed-role/etl/"


def set_up(workload: Workload) -> None:
    workload.aws_provider(
        attribute_condition="assertion.arn.startsWith('arn:aws:sts::123456789012:assumed-role/web/')"
    )
