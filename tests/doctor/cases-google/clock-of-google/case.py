from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/google-clock"
SEEN = "answers as Google"


def set_up(workload: Workload) -> None:
    workload.cloud.google_sts.inject(Fault.date(900), times=None)
    workload.cloud.iam_credentials.inject(Fault.date(900), times=None)
