from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/clock"
SEEN = "120 minutes ahead of"


def set_up(pod: Pod) -> None:
    pod.clouds_are(ahead_s=-7200)
