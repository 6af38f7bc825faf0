from __future__ import annotations

from doctor.workload import Workload

CAUSE = "token/malformed"
SEEN = "three parts"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file("eyJhbGciOiJSUzI1NiJ9")
