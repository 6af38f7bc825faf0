from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/not-google-cloud"
SAYS = "not GKE's"


def told(pod: Pod) -> None:
    pod.elsewhere("KVM")
    pod.set(KUBERNETES_SERVICE_HOST="10.0.0.1")
