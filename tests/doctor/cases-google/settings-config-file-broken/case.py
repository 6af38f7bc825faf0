from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/config-file"
SEEN = "parse"


def set_up(workload: Workload) -> None:
    workload.aws_config("region = us-east-1\n")
