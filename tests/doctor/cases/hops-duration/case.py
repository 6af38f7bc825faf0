from __future__ import annotations

from doctor.pod import OTHER, Pod

from gcp_aws_bridge.emulator import Fault

NAMED = "exchange/duration"
SAYS = "role/target"


def told(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER]
    said = "The requested DurationSeconds exceeds the 1 hour session limit"
    pod.cloud.sts.inject(Fault.aws_error("ValidationError", said), times=None, action="AssumeRole")
