from __future__ import annotations

from doctor.workload import Workload

CAUSE = "config/google-file"
SEEN = "workforce"


def set_up(workload: Workload) -> None:
    workload.google_file(
        audience="//iam.googleapis.com/locations/global/workforcePools/staff/providers/okta"
    )
