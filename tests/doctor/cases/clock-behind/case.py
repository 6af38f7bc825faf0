from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/clock"
SAYS = "10 minutes behind Google's and 10 minutes behind AWS's"


def told(pod: Pod) -> None:
    pod.clouds_are(ahead_s=600)
