from __future__ import annotations

from doctor.pod import AUDIENCE, PROVIDER, Pod

CAUSE = "token/expired"
SEEN = "expired at"


def set_up(pod: Pod) -> None:
    token = pod.annotated(linked=False).folder / "aws/token"
    issuer = pod.cloud.add_oidc_provider(PROVIDER, client_ids=(AUDIENCE,))
    times = {"iat": 1_700_000_000, "exp": 1_700_003_600}
    subject = "system:serviceaccount:default:etl"
    token.write_text(issuer.mint(subject, AUDIENCE, **times))
