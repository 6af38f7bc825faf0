from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/google-stale"
SEEN = "stale to sign-in"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file()
    words = {
        "error": "invalid_grant",
        "error_description": "ID Token issued at 1 is stale to sign-in.",
    }
    fault = Fault.status(400, json.dumps(words), "application/json")
    workload.cloud.google_sts.inject(fault, times=None)
