from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-forwarded"
SEEN = "X-Forwarded-For"


def set_up(pod: Pod) -> None:
    message = "Request contains the header X-Forwarded-For"
    pod.cloud.metadata.inject(Fault.status(403, message), times=None)
