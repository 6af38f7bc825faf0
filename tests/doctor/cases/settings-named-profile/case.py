from __future__ import annotations

from doctor.pod import Pod

CAUSE = "config/no-role"
SEEN = "the environment does not count"


def set_up(pod: Pod) -> None:
    pod.aws_config("[profile dev]\nregion = eu-west-1\n")
    pod.arguments += ["--profile", "dev"]
