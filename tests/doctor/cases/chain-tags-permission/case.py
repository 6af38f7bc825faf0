from __future__ import annotations

from doctor.pod import ACCOUNT, NEAR, ROLE, Pod

CAUSE = "doctor/chain-permission"
SEEN = "sts:TagSession"


def set_up(pod: Pod) -> None:
    arguments = ("--chain", NEAR, "--tag", "tenant=seven")
    pod.chain(*arguments, principal=ACCOUNT, actions=["sts:TagSession"])
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=NEAR)
