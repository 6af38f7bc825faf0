from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/sts-blocked"
SEEN = "get no answer"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.outbound()
    workload.set(AWS_ENDPOINT_URL_STS=f"http://{workload.dropping()}")
