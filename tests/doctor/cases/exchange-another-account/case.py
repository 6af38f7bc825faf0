from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "999999999999999999999"


def set_up(pod: Pod) -> None:
    pod.trusts(statement(aud="9" * 21, oaud="sts.amazonaws.com", sub="9" * 21))
