from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/sts-plain-http"
SAYS = "HTTPS only"


def told(at: Workload) -> None:
    at.set(AWS_ENDPOINT_URL_STS="http://10.1.2.3")
