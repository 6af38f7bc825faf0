from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/file-missing"
SAYS = "does not exist"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.set(GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE="/nowhere/token")
