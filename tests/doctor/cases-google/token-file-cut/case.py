from __future__ import annotations

from doctor.workload import Workload

NAMED = "token/malformed"
SAYS = "three parts"


def told(at: Workload) -> None:
    at.oidc_provider()
    at.token_file("eyJhbGciOiJSUzI1NiJ9")
