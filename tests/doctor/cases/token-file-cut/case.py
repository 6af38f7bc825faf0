from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/malformed"
SAYS = "parts of a JWT"


def told(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint().rpartition(".")[0])
