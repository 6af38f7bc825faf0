from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-answer"
SAYS = "HTTP 413"


def told(at: Workload) -> None:
    at.cloud.google_sts.inject(
        Fault.html(413), times=None, when=lambda request: "subject_token" in request.params
    )
