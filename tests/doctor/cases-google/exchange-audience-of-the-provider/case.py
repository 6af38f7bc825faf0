from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-audience"
SAYS = "does not match"


def told(at: Workload) -> None:
    at.oidc_provider(allowed_audiences=["google"])
    at.token_file(at.cloud.eks_token(f"https:{at.provider.audience}"))
