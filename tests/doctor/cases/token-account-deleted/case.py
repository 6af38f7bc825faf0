from __future__ import annotations

from doctor.pod import Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "doctor/not-bound"
SEEN = "there is no such account"


def set_up(pod: Pod) -> None:
    fault = Fault.status(404, "Gaia id not found for email")
    pod.cloud.metadata.inject(fault, times=None, path="identity")
