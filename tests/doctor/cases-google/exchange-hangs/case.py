from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-unreachable"
SAYS = "ReadTimeout"
WAITS = True


def told(at: Workload) -> None:
    at.cloud.google_sts.inject(
        Fault.hang(30), times=None, when=lambda request: "subject_token" in request.params
    )
