from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/clock"
SEEN = "minutes into the future"


def set_up(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(iat=4_000_000_000, exp=4_000_003_600))
