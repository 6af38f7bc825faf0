from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-answer"
SEEN = "HTTP 302"


def set_up(workload: Workload) -> None:
    workload.cloud.google_sts.inject(Fault.redirect("http://127.0.0.1:9/"), times=None)
