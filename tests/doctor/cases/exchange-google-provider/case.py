from __future__ import annotations

from doctor.pod import Pod

NAMED = "doctor/google-provider"
SAYS = "IAM OIDC provider for accounts.google.com"


def told(pod: Pod) -> None:
    pod.cloud.add_oidc_provider("https://accounts.google.com", client_ids=("another",))
