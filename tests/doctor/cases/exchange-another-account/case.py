from __future__ import annotations

from doctor.pod import Pod, statement

NAMED = "doctor/trust-policy"
SAYS = "999999999999999999999"


def told(pod: Pod) -> None:
    pod.trusts(statement(aud="9" * 21, oaud="sts.amazonaws.com", sub="9" * 21))
