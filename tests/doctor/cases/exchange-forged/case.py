from __future__ import annotations

from doctor.pod import Pod

CAUSE = "exchange/invalid-token"
SEEN = "signature invalid"


def set_up(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(forged=True))
