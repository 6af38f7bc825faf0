from __future__ import annotations

from doctor.workload import Workload

CAUSE = "doctor/google-issuer-keys"
SEEN = "cannot reach the issuer"


def set_up(workload: Workload) -> None:
    workload.oidc_provider()
    token = workload.provider.mint()
    issuer = workload.cloud.add_oidc_provider(workload.cloud.eks_issuer_url)
    issuer.rotate_signing_key(retire=True)
    workload.token_file(token)
