from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/metadata-forwarded"
SEEN = "changes the request's headers"


def set_up(pod: Pod) -> None:
    message = 'Missing required header "Metadata-Flavor": "Google"'
    pod.cloud.metadata.inject(Fault.status(403, message), times=None)
