from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-no-account"
SAYS = "Not found"


def told(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="publisher@gone-project.iam.gserviceaccount.com")
