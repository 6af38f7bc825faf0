from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/google-perimeter"
SEEN = "perimeter"


def set_up(workload: Workload) -> None:
    message = (
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: 3Xb2"
    )
    error = {"code": 403, "message": message, "status": "PERMISSION_DENIED"}
    fault = Fault.status(403, json.dumps({"error": error}), "application/json")
    workload.cloud.iam_credentials.inject(fault, times=None)
