from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/aws-refused"
SAYS = "custom-process"


def told(at: Workload) -> None:
    at.has_no_role()
    at.aws_config("[default]\ncredential_process = false\n")
