from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-answer"
SEEN = "a web page"


def set_up(workload: Workload) -> None:
    workload.cloud.google_sts.inject(Fault.html(), times=None)
