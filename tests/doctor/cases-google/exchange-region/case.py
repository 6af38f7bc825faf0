from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/google-aws-region"
SEEN = "RegionDisabledException"


def set_up(workload: Workload) -> None:
    words = {
        "error": "invalid_grant",
        "error_description": "Received invalid AWS response of type RegionDisabledException",
    }
    fault = Fault.status(400, json.dumps(words), "application/json")
    workload.set(AWS_REGION="me-south-1", AWS_DEFAULT_REGION="me-south-1")
    workload.cloud.google_sts.inject(
        fault,
        times=None,
        when=lambda request: "me-south-1" in request.params.get("subject_token", ""),
    )
