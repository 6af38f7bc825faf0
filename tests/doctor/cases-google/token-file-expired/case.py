from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/expired"
SAYS = "expired at"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file(at.provider.mint(iat=1_600_000_000, exp=1_600_003_600))
