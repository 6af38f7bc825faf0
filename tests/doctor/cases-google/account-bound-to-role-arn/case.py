from __future__ import annotations

from doctor.workload import ROLE, Workload

NAMED = "doctor/google-binding"
SAYS = "getAccessToken"


def told(at: Workload) -> None:
    at.account(at.provider.principal_set("attribute.aws_role", ROLE))
