from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/key-file-first"
SAYS = "comes before the service account"


def told(pod: Pod) -> None:
    pod.key_file("stranger@demo-project.iam.gserviceaccount.com")
