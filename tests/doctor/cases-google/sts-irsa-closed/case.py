from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/sts-closed"
SEEN = "refuses connections"


def set_up(workload: Workload) -> None:
    workload.runs_on("irsa")
    workload.set(AWS_ENDPOINT_URL_STS=f"http://{workload.closed()}")
