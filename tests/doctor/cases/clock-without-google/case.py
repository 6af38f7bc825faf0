from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/clock"
SEEN = "one of the two is wrong"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud()
    pod.clouds_are(ahead_s=1200)
    pod.id_token(pod.cloud.mint())
