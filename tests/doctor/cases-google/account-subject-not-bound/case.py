from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-binding"
SEEN = "getAccessToken"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file()
    workload.account(workload.provider.principal("system:serviceaccount:prod:etl"))
