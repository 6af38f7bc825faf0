from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "sts:AssumeRole"


def set_up(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    pod.trusts({**statement(aud=number, sub=number), "Action": "sts:AssumeRole"})
