from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/trust-policy"
SAYS = "sts:AssumeRole"


def told(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    pod.trusts({**statement(aud=number, sub=number), "Action": "sts:AssumeRole"})
