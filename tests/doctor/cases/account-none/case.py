from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/no-account"
SEEN = "created without one"


def set_up(pod: Pod) -> None:
    pod.unset("KUBERNETES_SERVICE_HOST")
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
