from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/no-account"
SAYS = "made without one"


def told(pod: Pod) -> None:
    pod.unset("KUBERNETES_SERVICE_HOST")
    pod.cloud.metadata.inject(Fault.body("{}"), times=None, path="service-accounts/")
