from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/sts-dns"
SAYS = "sts.eu-nowhere-9"


def told(at: Workload) -> None:
    at.unset("AWS_ENDPOINT_URL_STS")
    at.set(AWS_DEFAULT_REGION="eu-nowhere-9", AWS_REGION="eu-nowhere-9")
