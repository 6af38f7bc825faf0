from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/clock"
SAYS = "minutes into the future"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file(at.provider.mint(iat=4_000_000_000, exp=4_000_003_600))
