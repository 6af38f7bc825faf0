from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/container-address"
SAYS = "10.1.2.3"


def told(at: Workload) -> None:
    at.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://10.1.2.3/v1/credentials")
