from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/sts-closed"
SAYS = "refuses connections"


def told(at: Workload) -> None:
    at.runs_on("irsa")
    at.set(AWS_ENDPOINT_URL_STS=f"http://{at.closed()}")
