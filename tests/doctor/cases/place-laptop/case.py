from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/not-google-cloud"
SAYS = "no other Google identity"


def told(pod: Pod) -> None:
    pod.elsewhere()
