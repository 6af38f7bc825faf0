from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/expired"
SAYS = "expired at"


def told(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint(iat=1_700_000_000, exp=1_700_003_600))
