from __future__ import annotations

from doctor.pod import PROVIDER, Pod, statement

CAUSE = "doctor/trust-policy"
SEEN = "system:serviceaccount:default:other"


def set_up(pod: Pod) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER)
    wanted = statement(provider.arn)
    issuer = PROVIDER.removeprefix("https://")
    wanted["Condition"] = {"StringEquals": {f"{issuer}:sub": "system:serviceaccount:default:etl"}}
    pod.trusts(wanted)
    pod.id_token(provider.mint("system:serviceaccount:default:other"))
