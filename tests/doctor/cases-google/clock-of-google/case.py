from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/google-clock"
SAYS = "answers as Google"


def told(at: Workload) -> None:
    at.cloud.google_sts.inject(Fault.date(900), times=None)
    at.cloud.iam_credentials.inject(Fault.date(900), times=None)
