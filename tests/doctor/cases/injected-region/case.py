from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/injected-region"
SEEN = "There is no AWS region"


def set_up(pod: Pod) -> None:
    pod._patch.delenv("AWS_DEFAULT_REGION", raising=False)
    pod._patch.delenv("AWS_REGION", raising=False)
    pod.annotated(linked=False, region="")
