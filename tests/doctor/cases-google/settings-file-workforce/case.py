from __future__ import annotations

from doctor.workload import Workload

NAMED = "config/google-file"
SAYS = "workforce"


def told(at: Workload) -> None:
    at.google_file(
        audience="//iam.googleapis.com/locations/global/workforcePools/staff/providers/okta"
    )
