from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/pod-identity-agent"
SAYS = "gives no keys"
WAITS = True


def told(at: Workload) -> None:
    at.cloud.pod_identity.inject(Fault.hang(30), times=None)
