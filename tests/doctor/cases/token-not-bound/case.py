from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/not-bound"
SAYS = "or there is no such account"


def told(pod: Pod) -> None:
    said = "Permission 'iam.serviceAccounts.getOpenIdToken' denied (or it may not exist)."
    pod.cloud.metadata.inject(Fault.status(403, said), times=None, path="identity")
