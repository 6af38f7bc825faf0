from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-keys"
SAYS = "SignatureDoesNotMatch"


def told(at: Workload) -> None:
    at.keys(AWS_SECRET_ACCESS_KEY="hunter2hunter2hunter2hunter2")
