from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "doctor/not-bound"
SAYS = "there is no such account"


def told(pod: Pod) -> None:
    fault = Fault.status(404, "Gaia id not found for email")
    pod.cloud.metadata.inject(fault, times=None, path="identity")
