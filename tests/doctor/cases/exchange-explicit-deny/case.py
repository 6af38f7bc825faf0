from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "Statement[1] (Deny)"


def set_up(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    allow = statement(aud=number, sub=number)
    pod.trusts(allow, {**allow, "Effect": "Deny"})
