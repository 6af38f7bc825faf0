from __future__ import annotations

from doctor.pod import Pod

NAMED = "exchange/invalid-token"
SAYS = "signature invalid"


def told(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(forged=True))
