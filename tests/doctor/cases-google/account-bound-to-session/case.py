from __future__ import annotations

from doctor.workload import SESSION, Workload

CAUSE = "doctor/google-binding"
SEEN = "getAccessToken"


def set_up(workload: Workload) -> None:
    workload.account(
        workload.provider.principal_set("attribute.aws_role", f"{SESSION}/eks-production-etl")
    )
