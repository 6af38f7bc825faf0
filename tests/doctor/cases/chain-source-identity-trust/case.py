from __future__ import annotations

from doctor.pod import NEAR, ROLE, Pod

CAUSE = "doctor/chain-trust-policy"
SEEN = "does not allow sts:SetSourceIdentity"


def set_up(pod: Pod) -> None:
    pod.chain("--chain", NEAR, "--source-identity", "nightly", ExternalId="tenant-7")
    pod.arguments += ["--external-id", "tenant-7"]
    pod.cloud.allow(ROLE, "sts:SetSourceIdentity", on=NEAR)
