from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/google-silent"
SEEN = "gives no complete answer"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    for service in (workload.cloud.sts, workload.cloud.google_sts, workload.cloud.iam_credentials):
        service.inject(Fault.hang(30), times=None)
