from __future__ import annotations

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/pod-identity-agent"
SAYS = "500"


def told(at: Workload) -> None:
    at.cloud.pod_identity.inject(Fault.status(500, "try again"), times=None)
