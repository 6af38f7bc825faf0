from __future__ import annotations

from doctor.pod import NEAR, ROLE, Pod

CAUSE = "doctor/injected-other-role"
SEEN = "from the annotations of this pod"


def set_up(pod: Pod) -> None:
    pod.annotated(linked=False, arn=NEAR)
    pod.set(GCP_AWS_BRIDGE_ROLE_ARN=ROLE)
