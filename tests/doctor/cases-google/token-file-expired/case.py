from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/expired"
SEEN = "expired at"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file(workload.provider.mint(iat=1_600_000_000, exp=1_600_003_600))
