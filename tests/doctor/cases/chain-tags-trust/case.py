from __future__ import annotations

from doctor.pod import NEAR, Pod

CAUSE = "doctor/chain-trust-policy"
SEEN = "does not allow sts:TagSession"


def set_up(pod: Pod) -> None:
    pod.chain("--chain", NEAR, "--tag", "tenant=seven")
