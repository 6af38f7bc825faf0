from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "etl@demo-project"


def set_up(pod: Pod) -> None:
    pod.trusts(statement(sub=pod.cloud.service_account.email))
