from __future__ import annotations

from doctor.pod import Pod

CAUSE = "token/no-service-account"
SEEN = "default/etl is linked to no Google"


def set_up(pod: Pod) -> None:
    pod.cloud.unlink()
