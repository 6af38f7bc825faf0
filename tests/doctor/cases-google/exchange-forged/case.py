from __future__ import annotations

from doctor.workload import Workload

CAUSE = "exchange/google-token"
SEEN = "signature"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file(workload.provider.mint(forged=True))
