from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "accounts.google.com:aud"


def set_up(pod: Pod) -> None:
    pod.trusts(statement(aud="sts.amazonaws.com"))
