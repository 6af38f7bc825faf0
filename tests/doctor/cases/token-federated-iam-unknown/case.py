from __future__ import annotations

import json

from doctor.pod import Pod

CAUSE = "token/google-unreachable"
SEEN = "iamcredentials.nowhere.invalid"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud()
    provider = pod.cloud.add_google_provider_for_oidc(pod.cloud.eks_issuer_url)
    email = pod.cloud.service_account.email
    member = provider.principal("system:serviceaccount:default:etl")
    pod.cloud.add_google_service_account(email, [member])
    token = pod.file("projected", pod.cloud.eks_token(provider.audiences[0]))
    document = pod.cloud.external_account(provider, email, source="file", file=token)
    url = f"https://iamcredentials.nowhere.invalid/v1/projects/-/serviceAccounts/{email}"
    document["service_account_impersonation_url"] = f"{url}:generateAccessToken"
    pod.set(GOOGLE_APPLICATION_CREDENTIALS=pod.file("adc.json", json.dumps(document)))
