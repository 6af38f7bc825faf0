from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/audience"
SAYS = "https://kubernetes.default.svc"


def told(pod: Pod) -> None:
    pod.id_token(pod.cloud.mint("https://kubernetes.default.svc"))
