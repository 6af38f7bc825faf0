from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-audience"
SEEN = "demo-project"


def set_up(workload: Workload) -> None:
    audience = workload.provider.audience.replace("123456789012", "demo-project")
    workload.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=audience)
