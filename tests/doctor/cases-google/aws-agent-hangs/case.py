from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/pod-identity-agent"
SEEN = "gives no keys"
TIMES_OUT = True


def set_up(workload: Workload) -> None:
    workload.cloud.pod_identity.inject(Fault.hang(30), times=None)
