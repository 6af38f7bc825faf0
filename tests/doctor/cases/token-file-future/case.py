from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/clock"
SAYS = "minutes into the future"


def told(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(iat=4_000_000_000, exp=4_000_003_600))
