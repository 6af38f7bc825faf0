from __future__ import annotations

from doctor.pod import Pod

CAUSE = "doctor/google-provider"
SEEN = "IAM OIDC provider for accounts.google.com"


def set_up(pod: Pod) -> None:
    pod.cloud.add_oidc_provider("https://accounts.google.com", client_ids=("another",))
