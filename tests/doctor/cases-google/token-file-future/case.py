from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/clock"
SEEN = "minutes into the future"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file(workload.provider.mint(iat=4_000_000_000, exp=4_000_003_600))
