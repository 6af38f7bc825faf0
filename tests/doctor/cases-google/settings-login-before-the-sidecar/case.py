from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-key-file"
SEEN = "and not the sidecar"


def set_up(workload: Workload) -> None:
    workload.annotated(method="google-serve")
    workload.set(CLOUDSDK_CONFIG=str(workload.folder / "gcloud"))
    workload.file("gcloud/application_default_credentials.json", "{}")
