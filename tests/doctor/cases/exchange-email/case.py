from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/trust-policy"
SAYS = "etl@demo-project"


def told(pod: Pod) -> None:
    pod.trusts(statement(sub=pod.cloud.service_account.email))
