from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/audience"
SEEN = "https://kubernetes.default.svc"


def set_up(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint("https://kubernetes.default.svc"))
