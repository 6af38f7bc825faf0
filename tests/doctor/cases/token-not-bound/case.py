from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/not-bound"
SEEN = "or there is no such account"


def set_up(pod: Pod) -> None:
    message = "Permission 'iam.serviceAccounts.getOpenIdToken' denied (or it may not exist)."
    pod.cloud.metadata.inject(Fault.status(403, message), times=None, path="identity")
