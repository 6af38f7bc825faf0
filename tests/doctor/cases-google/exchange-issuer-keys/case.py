from __future__ import annotations

from doctor.workload import Workload

NAMED = "doctor/google-issuer-keys"
SAYS = "does not reach the issuer"


def told(at: Workload) -> None:
    at.oidc_provider()
    token = at.provider.mint()
    issuer = at.cloud.add_oidc_provider(at.cloud.eks_issuer_url)
    issuer.rotate_signing_key(retire=True)
    at.token_file(token)
