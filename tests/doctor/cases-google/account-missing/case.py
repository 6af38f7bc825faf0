from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-no-account"
SEEN = "Not found"


def set_up(workload: Workload) -> None:
    workload.set(
        GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="publisher@gone-project.iam.gserviceaccount.com"
    )
