from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-forwarded"
SAYS = "X-Forwarded-For"


def told(pod: Pod) -> None:
    said = "Request contains the header X-Forwarded-For"
    pod.cloud.metadata.inject(Fault.status(403, said), times=None)
