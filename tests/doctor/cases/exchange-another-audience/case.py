from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/audience"
SAYS = "aws:123456789012:etl"


def told(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    pod.trusts(statement(aud=number, oaud="aws:123456789012:etl", sub=number))
