from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/metadata-forwarded"
SAYS = "changes the request's headers"


def told(pod: Pod) -> None:
    said = 'Missing required header "Metadata-Flavor": "Google"'
    pod.cloud.metadata.inject(Fault.status(403, said), times=None)
