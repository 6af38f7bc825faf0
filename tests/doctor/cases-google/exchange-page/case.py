from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-answer"
SEEN = "HTTP 413"


def set_up(workload: Workload) -> None:
    workload.cloud.google_sts.inject(
        Fault.html(413), times=None, when=lambda request: "subject_token" in request.params
    )
