from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/key-file-first"
SEEN = "comes before the service account"


def set_up(pod: Pod) -> None:
    pod.key_file("stranger@demo-project.iam.gserviceaccount.com")
