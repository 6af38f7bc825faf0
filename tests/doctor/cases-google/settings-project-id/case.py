from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-audience"
SAYS = "demo-project"


def told(at: Workload) -> None:
    audience = at.provider.audience.replace("123456789012", "demo-project")
    at.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=audience)
