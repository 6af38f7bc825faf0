from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-unreachable"
SEEN = "ReadTimeout"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.cloud.google_sts.inject(
        Fault.hang(30), times=None, when=lambda request: "subject_token" in request.params
    )
