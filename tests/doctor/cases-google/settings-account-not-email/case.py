from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-service-account"
SEEN = "is not an e-mail"


def set_up(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="publisher")
