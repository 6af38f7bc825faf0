from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-issuer"
SEEN = "another cluster"


def set_up(workload: Workload) -> None:
    workload.oidc_provider("https://oidc.eks.us-east-1.amazonaws.com/id/OLD")
    workload.token_file(workload.cloud.eks_token(f"https:{workload.provider.audience}"))
