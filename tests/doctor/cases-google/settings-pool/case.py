from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-audience"
SAYS = "malformed"


def told(at: Workload) -> None:
    pool = at.provider.audience.partition("/providers/")[0]
    at.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=pool)
