from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/aws-refused"
SEEN = "custom-process"


def set_up(workload: Workload) -> None:
    workload.has_no_role()
    workload.aws_config("[default]\ncredential_process = false\n")
