from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/sts-plain-http"
SEEN = "HTTPS only"


def set_up(workload: Workload) -> None:
    workload.set(AWS_ENDPOINT_URL_STS="http://10.1.2.3")
