from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/aws-refused"
SAYS = "AWS_SECRET_ACCESS_KEY"


def told(at: Workload) -> None:
    at.keys(AWS_SECRET_ACCESS_KEY="")
