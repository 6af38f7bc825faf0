from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/file-missing"
SEEN = "does not exist"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.set(GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE="/nowhere/token")
