from __future__ import annotations

from doctor.pod import NEAR, Pod

CAUSE = "doctor/chain-permission"
SEEN = "sts:SetSourceIdentity"


def set_up(pod: Pod) -> None:
    arguments = ("--chain", NEAR, "--source-identity", "nightly")
    pod.chain(*arguments, actions=["sts:SetSourceIdentity"], SourceIdentity="nightly")
