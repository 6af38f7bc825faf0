from __future__ import annotations

from doctor.pod import Pod

NAMED = "token/no-service-account"
SAYS = "default/etl is linked to no Google"


def told(pod: Pod) -> None:
    pod.cloud.unlink()
