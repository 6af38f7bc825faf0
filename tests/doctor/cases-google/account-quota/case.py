from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-unavailable"
SEEN = "RESOURCE_EXHAUSTED"


def set_up(workload: Workload) -> None:
    error = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}
    fault = Fault.status(429, json.dumps({"error": error}), "application/json")
    workload.cloud.iam_credentials.inject(fault, times=None)
