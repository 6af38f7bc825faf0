from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/not-google-cloud"
SEEN = "no other Google identity"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud()
