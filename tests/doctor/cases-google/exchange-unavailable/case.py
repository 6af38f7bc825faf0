from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-unavailable"
SEEN = "unavailable"


def set_up(workload: Workload) -> None:
    words = {"error": "unavailable", "error_description": "The service is currently unavailable."}
    fault = Fault.status(503, json.dumps(words), "application/json")
    workload.cloud.google_sts.inject(fault, times=None)
