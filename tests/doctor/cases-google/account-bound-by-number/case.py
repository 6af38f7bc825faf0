from __future__ import annotations

from doctor.workload import SESSION, Workload

CAUSE = "doctor/google-binding"
SEEN = "getAccessToken"


def set_up(workload: Workload) -> None:
    member = workload.provider.principal_set("attribute.aws_role", SESSION)
    workload.account(member.replace("projects/123456789012", "projects/210987654321"))
