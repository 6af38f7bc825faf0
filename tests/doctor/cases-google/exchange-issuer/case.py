from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-issuer"
SAYS = "another cluster"


def told(at: Workload) -> None:
    at.oidc_provider("https://oidc.eks.us-east-1.amazonaws.com/id/OLD")
    at.token_file(at.cloud.eks_token(f"https:{at.provider.audience}"))
