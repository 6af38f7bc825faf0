from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/not-google-cloud"
SEEN = "not GKE"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud("KVM")
    pod.set(KUBERNETES_SERVICE_HOST="10.0.0.1")
