from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/aws-none"
SEEN = "this is Lambda"


def set_up(workload: Workload) -> None:
    workload.runs_on("lambda")
    workload.unset("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    workload.set(AWS_EC2_METADATA_DISABLED="true")
