from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-answer"
SAYS = "HTTP 302"


def told(at: Workload) -> None:
    at.cloud.google_sts.inject(Fault.redirect("http://127.0.0.1:9/"), times=None)
