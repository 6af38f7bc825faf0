from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/config-file"
SEEN = "cannot read"


def set_up(pod: Pod) -> None:
    pod.aws_config("role_arn = lost\n[default]\n")
