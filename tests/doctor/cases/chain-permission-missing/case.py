from __future__ import annotations

from doctor.pod import ACCOUNT, NEAR, Pod

CAUSE = "doctor/chain-permission"
SEEN = "The trust policy admits the request"


def set_up(pod: Pod) -> None:
    pod.chain("--chain", NEAR, principal=ACCOUNT)
