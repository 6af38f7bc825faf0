from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/container-address"
SEEN = "10.1.2.3"


def set_up(workload: Workload) -> None:
    workload.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://10.1.2.3/v1/credentials")
