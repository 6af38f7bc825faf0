from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/trust-policy"
SAYS = "Statement[1] (Deny)"


def told(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    allow = statement(aud=number, sub=number)
    pod.trusts(allow, {**allow, "Effect": "Deny"})
