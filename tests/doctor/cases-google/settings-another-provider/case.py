from __future__ import annotations

import json

from doctor.workload import Workload

CAUSE = "doctor/google-key-file"
SEEN = "external_account"


def set_up(workload: Workload) -> None:
    document = {"type": "external_account", "audience": workload.provider.audience + "-old"}
    workload.set(GOOGLE_APPLICATION_CREDENTIALS=workload.file("google.json", json.dumps(document)))
