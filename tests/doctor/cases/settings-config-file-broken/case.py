from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/config-file"
SAYS = "cannot read"


def told(pod: Pod) -> None:
    pod.aws_config("role_arn = lost\n[default]\n")
