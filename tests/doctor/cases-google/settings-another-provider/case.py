from __future__ import annotations

import json

from doctor.workload import Workload

NAMED = "doctor/google-key-file"
SAYS = "external_account"


def told(at: Workload) -> None:
    document = {"type": "external_account", "audience": at.provider.audience + "-old"}
    at.set(GOOGLE_APPLICATION_CREDENTIALS=at.file("google.json", json.dumps(document)))
