from __future__ import annotations

from doctor.pod import PROVIDER, Pod

NAMED = "exchange/invalid-token"
SAYS = "No OpenIDConnect provider"


def told(pod: Pod) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER, account="210987654321")
    pod.id_token(provider.mint())
