from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/config-file"
SAYS = "parse"


def told(at: Workload) -> None:
    at.aws_config("region = us-east-1\n")
