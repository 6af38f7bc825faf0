from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/google-perimeter"
SAYS = "perimeter"


def told(at: Workload) -> None:
    message = (
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: 3Xb2"
    )
    error = {"code": 403, "message": message, "status": "PERMISSION_DENIED"}
    fault = Fault.status(403, json.dumps({"error": error}), "application/json")
    at.cloud.iam_credentials.inject(fault, times=None)
