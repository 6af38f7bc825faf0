from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-aws"
SEEN = "invalid format"


def set_up(workload: Workload) -> None:
    words = {"error": "invalid_grant", "error_description": "AWS request has invalid format."}
    fault = Fault.status(400, json.dumps(words), "application/json")
    workload.cloud.google_sts.inject(fault, times=None)
