from __future__ import annotations

from doctor.pod import OTHER, Pod

from gcp_aws_bridge.emulator import Fault

CAUSE = "exchange/duration"
SEEN = "role/target"


def set_up(pod: Pod) -> None:
    pod.arguments += ["--chain", OTHER]
    message = "The requested DurationSeconds exceeds the 1 hour session limit"
    pod.cloud.sts.inject(
        Fault.aws_error("ValidationError", message), times=None, action="AssumeRole"
    )
