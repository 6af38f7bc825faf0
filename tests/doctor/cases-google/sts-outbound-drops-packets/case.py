from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/sts-blocked"
SAYS = "get no answer"
WAITS = True


def told(at: Workload) -> None:
    at.outbound()
    at.set(AWS_ENDPOINT_URL_STS=f"http://{at.dropping()}")
