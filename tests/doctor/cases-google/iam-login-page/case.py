from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-answer"
SEEN = "HTTP 403"


def set_up(workload: Workload) -> None:
    workload.cloud.iam_credentials.inject(Fault.html(403), times=None)
