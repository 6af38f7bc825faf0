from __future__ import annotations

import json

from doctor.pod import Pod

CAUSE = "token/google-refused"
SEEN = "getOpenIdToken"


def set_up(pod: Pod) -> None:
    pod.leaves_google_cloud()
    provider = pod.cloud.add_google_provider_for_oidc(pod.cloud.eks_issuer_url)
    token = pod.file("projected", pod.cloud.eks_token(provider.audiences[0]))
    email = pod.cloud.service_account.email
    pod.cloud.add_google_service_account(email)
    document = pod.cloud.external_account(provider, email, source="file", file=token)
    pod.set(GOOGLE_APPLICATION_CREDENTIALS=pod.file("adc.json", json.dumps(document)))
