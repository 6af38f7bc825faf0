from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-service-account"
SAYS = "is not an e-mail"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="publisher")
