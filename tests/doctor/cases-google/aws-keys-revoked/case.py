from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/aws-keys"
SAYS = "InvalidClientTokenId"


def told(at: Workload) -> None:
    at.keys(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
