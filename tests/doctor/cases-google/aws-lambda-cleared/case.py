from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/aws-none"
SAYS = "this is Lambda"


def told(at: Workload) -> None:
    at.runs_on("lambda")
    at.unset("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    at.set(AWS_EC2_METADATA_DISABLED="true")
