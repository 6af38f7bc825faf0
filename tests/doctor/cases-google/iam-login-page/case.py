from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-answer"
SAYS = "HTTP 403"


def told(at: Workload) -> None:
    at.cloud.iam_credentials.inject(Fault.html(403), times=None)
