from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/clock"
SEEN = "10 minutes behind Google's and 10 minutes behind AWS's"


def set_up(pod: Pod) -> None:
    pod.clouds_are(ahead_s=600)
