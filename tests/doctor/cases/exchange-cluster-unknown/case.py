from __future__ import annotations

from doctor.pod import PROVIDER, Pod

CAUSE = "exchange/invalid-token"
SEEN = "No OpenIDConnect provider"


def set_up(pod: Pod) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER, account="210987654321")
    pod.id_token(provider.mint())
