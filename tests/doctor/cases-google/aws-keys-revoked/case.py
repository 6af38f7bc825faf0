from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/aws-keys"
SEEN = "InvalidClientTokenId"


def set_up(workload: Workload) -> None:
    workload.keys(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
