from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/audience"
SEEN = "aws:123456789012:etl"


def set_up(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    pod.trusts(statement(aud=number, oaud="aws:123456789012:etl", sub=number))
