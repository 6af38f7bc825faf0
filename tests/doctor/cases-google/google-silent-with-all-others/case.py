from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/google-silent"
SAYS = "gives no whole answer"
WAITS = True


def told(at: Workload) -> None:
    for service in (at.cloud.sts, at.cloud.google_sts, at.cloud.iam_credentials):
        service.inject(Fault.hang(30), times=None)
