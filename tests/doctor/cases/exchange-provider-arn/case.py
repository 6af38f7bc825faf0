from __future__ import annotations

from doctor.pod import Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "OIDC provider for Google"


def set_up(pod: Pod) -> None:
    number = pod.cloud.service_account.unique_id
    provider = "arn:aws:iam::123456789012:oidc-provider/accounts.google.com"
    pod.trusts(statement(provider, aud=number, sub=number))
