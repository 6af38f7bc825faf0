from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/malformed"
SEEN = "parts of a JWT"


def set_up(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint().rpartition(".")[0])
