from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-binding"
SAYS = "getAccessToken"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file()
    at.account(at.provider.principal("system:serviceaccount:prod:etl"))
