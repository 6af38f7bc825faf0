from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/clock"
SAYS = "120 minutes ahead of"


def told(pod: Pod) -> None:
    pod.clouds_are(ahead_s=-7200)
