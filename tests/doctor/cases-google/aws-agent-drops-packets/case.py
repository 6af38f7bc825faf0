from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/pod-identity-agent"
SAYS = "gives no keys"
WAITS = True


def told(at: Workload) -> None:
    at.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://{at.dropping()}/v1/credentials")
