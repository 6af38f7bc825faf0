from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/pod-identity-agent"
SEEN = "500"


def set_up(workload: Workload) -> None:
    workload.cloud.pod_identity.inject(Fault.status(500, "try again"), times=None)
