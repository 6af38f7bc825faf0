from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-aws"
SAYS = "invalid format"


def told(at: Workload) -> None:
    words = {"error": "invalid_grant", "error_description": "AWS request has invalid format."}
    fault = Fault.status(400, json.dumps(words), "application/json")
    at.cloud.google_sts.inject(fault, times=None)
