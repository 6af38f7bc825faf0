from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/google-aws-region"
SAYS = "RegionDisabledException"


def told(at: Workload) -> None:
    words = {
        "error": "invalid_grant",
        "error_description": "Received invalid AWS response of type RegionDisabledException",
    }
    fault = Fault.status(400, json.dumps(words), "application/json")
    at.set(AWS_REGION="me-south-1", AWS_DEFAULT_REGION="me-south-1")
    at.cloud.google_sts.inject(
        fault, times=None, when=lambda asked: "me-south-1" in asked.params.get("subject_token", "")
    )
