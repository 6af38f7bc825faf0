from __future__ import annotations

from doctor.workload import Workload

NAMED = "exchange/google-token"
SAYS = "signature"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file(at.provider.mint(forged=True))
