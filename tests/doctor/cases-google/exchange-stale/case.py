from __future__ import annotations

import json

from doctor.workload import Workload

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/google-stale"
SAYS = "stale to sign-in"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file()
    words = {
        "error": "invalid_grant",
        "error_description": "ID Token issued at 1 is stale to sign-in.",
    }
    fault = Fault.status(400, json.dumps(words), "application/json")
    at.cloud.google_sts.inject(fault, times=None)
