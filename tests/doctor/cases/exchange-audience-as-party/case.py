from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/trust-policy"
SAYS = "accounts.google.com:aud"


def told(pod: Pod) -> None:
    pod.trusts(statement(aud="sts.amazonaws.com"))
