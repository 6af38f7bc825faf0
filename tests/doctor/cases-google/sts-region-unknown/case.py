from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/sts-dns"
SEEN = "sts.eu-nowhere-9"


def set_up(workload: Workload) -> None:
    workload.unset("AWS_ENDPOINT_URL_STS")
    workload.set(AWS_DEFAULT_REGION="eu-nowhere-9", AWS_REGION="eu-nowhere-9")
