from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/aws-refused"
SEEN = "AWS_SECRET_ACCESS_KEY"


def set_up(workload: Workload) -> None:
    workload.keys(AWS_SECRET_ACCESS_KEY="")
