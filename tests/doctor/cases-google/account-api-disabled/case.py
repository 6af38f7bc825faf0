from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/google-api"
SEEN = "has not been used"


def set_up(workload: Workload) -> None:
    message = (
        "IAM Service Account Credentials API has not been used in project 987654321098 before or "
        "it is disabled. Enable it by visiting https://console.developers.google.com/ then retry."
    )
    error = {"code": 403, "message": message, "status": "PERMISSION_DENIED"}
    fault = Fault.status(403, json.dumps({"error": error}), "application/json")
    workload.cloud.iam_credentials.inject(fault, times=None)
