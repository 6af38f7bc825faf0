from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/expired"
SEEN = "expired at"


def set_up(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(iat=1_700_000_000, exp=1_700_003_600))
