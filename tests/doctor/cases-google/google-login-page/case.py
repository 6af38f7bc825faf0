from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-answer"
SAYS = "a web page"


def told(at: Workload) -> None:
    at.cloud.google_sts.inject(Fault.html(), times=None)
