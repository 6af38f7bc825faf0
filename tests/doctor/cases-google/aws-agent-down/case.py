from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-agent"
SAYS = "gives no keys"


def told(at: Workload) -> None:
    at.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{at.closed()}/v1/credentials")
