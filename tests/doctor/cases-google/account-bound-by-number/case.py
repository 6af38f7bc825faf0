from __future__ import annotations

from doctor.workload import SESSION, Workload

NAMED = "doctor/google-binding"
SAYS = "getAccessToken"


def told(at: Workload) -> None:
    member = at.provider.principal_set("attribute.aws_role", SESSION)
    at.account(member.replace("projects/123456789012", "projects/210987654321"))
