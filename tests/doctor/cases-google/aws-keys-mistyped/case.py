from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-keys"
SEEN = "SignatureDoesNotMatch"


def set_up(workload: Workload) -> None:
    workload.keys(AWS_SECRET_ACCESS_KEY="hunter2hunter2hunter2hunter2")
