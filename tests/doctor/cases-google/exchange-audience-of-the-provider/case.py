from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-audience"
SEEN = "does not match"


def set_up(workload: Workload) -> None:
    workload.oidc_provider(allowed_audiences=["google"])
    workload.token_file(workload.cloud.eks_token(f"https:{workload.provider.audience}"))
