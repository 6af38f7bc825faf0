from __future__ import annotations

from doctor.pod import Pod

NAMED = "config/no-role"
SAYS = "the environment does not count"


def told(pod: Pod) -> None:
    pod.aws_config("[profile dev]\nregion = eu-west-1\n")
    pod.arguments += ["--profile", "dev"]
